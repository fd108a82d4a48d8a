import type { Digest } from '../durable-files.ts'

/** Bytes to publish: a staged file whose digest is known. */
export interface PublishFile extends Digest {
  readonly source: { readonly file: string } | { readonly bytes: Uint8Array }
}

/**
 * Port to the place where the static files of SPEC 2 lie. Paths are relative to `<base>` and use `/`. Failures are
 * MoultErrors: ERR_PUBLISH_FAILED, and those named below. One contract suite runs against every adapter.
 */
export interface Publisher {
  /** The place in words, for messages. */
  readonly target: string

  /**
   * Keeps other releases out, where the place can do that. Where it cannot, the condition of `replaceManifest` alone
   * decides between two releases, and this does nothing.
   * @throws MoultError ERR_PUBLISH_CONFLICT, saying who holds it
   */
  lock(): Promise<Unlock>

  /** Names of the channels that have a manifest, sorted; none where nothing was published. */
  channels(): Promise<string[]>

  /** Whole content of a small document, or undefined when it does not exist. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>

  /** Size and hash of what lies there now, read and not remembered; undefined when nothing does. */
  digest(path: string): Promise<Digest | undefined>

  /**
   * Puts an artifact in place, all of it or nothing, and checks that the written bytes have the given digest. Other
   * bytes under this name are replaced: they are of a publish that was killed before its release document, or damaged, or
   * they are the note of the manifest before (`.attempted.json`), which MUST be durable before this returns.
   * The caller MUST NOT publish bytes that contradict a published release document.
   */
  putArtifact(path: string, file: PublishFile): Promise<void>

  /**
   * Puts an immutable document in place. The same bytes there already are fine.
   * @throws MoultError ERR_PUBLISH_EXISTS when other bytes are
   */
  putDocument(path: string, bytes: Uint8Array): Promise<void>

  /**
   * Replaces a manifest at one instant, on the condition that the one there now has the hash `expected` (undefined:
   * there is none). No bytes: removes it. A static web server MUST be able to tell the new one from the old by its
   * ETag, also when that is made of size and time in whole seconds.
   * @throws MoultError ERR_PUBLISH_CONFLICT when the condition does not hold; nothing has changed then
   */
  replaceManifest(path: string, bytes: Uint8Array | undefined, expected: string | undefined): Promise<void>
}

export type Unlock = () => Promise<void>
