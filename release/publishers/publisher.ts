import type { Digest } from '../durable-files.ts'

/** Bytes to publish: a staged file whose digest is known. */
export interface PublishFile extends Digest {
  readonly source: { readonly file: string } | { readonly bytes: Uint8Array }
}

/** A file that lies in the place. */
export interface PublishedFile {
  readonly path: string
  readonly size: number
}

/**
 * Port to the place where the static files of SPEC 2 lie. Paths are relative to `<base>` and use `/`. Failures are
 * MoultErrors: ERR_PUBLISH_FAILED for what may pass (a network, a busy service, a full disk), ERR_PUBLISH_REFUSED for
 * what a person has to mend (credentials, permissions, a missing bucket), and those named below. One contract suite runs
 * against every adapter.
 */
export interface Publisher {
  /** The place in words, for messages. */
  readonly target: string

  /** For a place that is its own host, and serves its files from one base only: what signed URLs begin with. */
  readonly baseUrl?: string

  /** Where anybody fetches a file, of a place that is its own host: it is read back there. */
  urlOf?(path: string): URL

  /** Where the place itself tells people of releases: no feed is written to it then. */
  readonly feedUrl?: string

  /**
   * Keeps other releases out, where the place can do that. Where it cannot, the condition of `replaceManifest` alone
   * decides between two releases, and this does nothing. What killed runs left half-done is cleaned up under it.
   * @param purpose what is to be published, for whoever is kept out
   * @throws MoultError ERR_PUBLISH_CONFLICT, saying who holds it
   */
  lock(purpose?: string): Promise<Unlock>

  /** Names of the channels that have a manifest, sorted; none where nothing was published. */
  channels(): Promise<string[]>

  /**
   * What lies below a folder such as `bin/`, or everything with `''`, sorted by path; without the adapter's own locks and
   * half-written files.
   */
  list(prefix: string): Promise<PublishedFile[]>

  /** Whole content of a small document, or undefined when it does not exist. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>

  /** Content as it flows, for reading back; undefined when it does not exist. */
  open(path: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>

  /** Size and hash of what lies there now, read and not remembered; undefined when nothing does. */
  digest(path: string): Promise<Digest | undefined>

  /**
   * Puts an artifact in place, all of it or nothing, and checks that the written bytes have the given digest. Other
   * bytes under this name are replaced: they are of a publish that was killed before its release document, or damaged, or
   * they are the note of the manifest before (`.attempted.json`), which MUST be durable before this returns, or the feed.
   * The caller MUST NOT publish bytes that contradict a published release document.
   * @param onProgress gets the bytes done so far, never fewer than before, and the size at the end
   */
  putArtifact(path: string, file: PublishFile, onProgress?: (doneBytes: number) => void): Promise<void>

  /**
   * Puts an immutable document in place. The same bytes there already are fine.
   * @throws MoultError ERR_PUBLISH_EXISTS when other bytes are
   */
  putDocument(path: string, bytes: Uint8Array): Promise<void>

  /**
   * Replaces a manifest at one instant, on the condition that the one there now has the hash `expected` (undefined:
   * there is none). No bytes: removes it. A static web server MUST be able to tell the new one from the old by its
   * ETag, also when that is made of size and time in whole seconds.
   * @throws MoultError ERR_PUBLISH_CONFLICT when the condition does not hold, saying what is live; nothing has changed then
   */
  replaceManifest(path: string, bytes: Uint8Array | undefined, expected: string | undefined): Promise<void>

  /**
   * Removes an artifact or a document; that it is not there is fine. The caller MUST hold the lock, and know that no
   * manifest needs the file.
   */
  remove(path: string): Promise<void>

  /** Milliseconds since 1970 by the clock of the place; absent where it has none of its own. */
  clock?(): Promise<number>

  /** A link with which anybody can fetch this file for so long; absent where there are no such links. */
  link?(path: string, expiresMs: number): Promise<string>
}

export type Unlock = () => Promise<void>
