import {
  type Manifest,
  MANIFEST_MAX_BYTES,
  MoultError,
  NO_FLOOR,
  type Root,
  sha256,
  type Verified,
  verifyAsIssued,
} from '../manifests/index.ts'
import { attemptPath, manifestPath } from './layout.ts'
import type { Publisher } from './publishers/publisher.ts'

/** What a channel offers at present. */
export interface Live {
  readonly bytes: Uint8Array
  /** Of the file's bytes: the condition for replacing it, and `previous` of the next. */
  readonly sha256: string
  readonly manifest: Verified<Manifest>
  /** The newest root that an agent knows after it has seen this manifest. */
  readonly root: Root
}

/**
 * Reads and verifies the live manifest, as of the moment it was issued: an expired one is still a predecessor.
 * @throws MoultError ERR_PUBLISH_FAILED when it is not of this project
 */
export async function readLive(publisher: Publisher, pinned: Root, channel: string): Promise<Live | undefined> {
  const path = manifestPath(channel)
  return readManifest(publisher, pinned, channel, path, (cause) => ({
    message: `the live manifest does not verify (${cause.message}): ${path}`,
    hint: `Is ${publisher.target} the right place, and is the root of this project the one that its agents pin?`,
  }))
}

/**
 * The manifest whose publishing began last, if that is known: its sequence is used up, also when it was put back.
 * Verified, because whoever can write to the place could otherwise use up all numbers by inventing one.
 * @throws MoultError ERR_PUBLISH_FAILED when it is not of this project
 */
export async function readAttempted(publisher: Publisher, pinned: Root, channel: string): Promise<Live | undefined> {
  const path = attemptPath(channel)
  return readManifest(publisher, pinned, channel, path, (cause) => ({
    message: `the manifest that was published last does not verify (${cause.message}): ${path}`,
    hint: 'It keeps sequences from being used twice. Find out who changed it; remove it only if the last publish succeeded.',
  }))
}

async function readManifest(
  publisher: Publisher,
  pinned: Root,
  channel: string,
  path: string,
  refusal: (cause: MoultError) => { readonly message: string; readonly hint: string },
): Promise<Live | undefined> {
  const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
  if (bytes === undefined) return undefined
  const verdict = verifyAsIssued(bytes, { root: pinned, channel, floor: NO_FLOOR })
  if (verdict.kind === 'accepted')
    return { bytes, sha256: sha256(bytes), manifest: verdict.manifest, root: verdict.trust.root }
  const { message, hint } = refusal(verdict.error)
  throw new MoultError('ERR_PUBLISH_FAILED', message, {
    hint,
    details: { path, reason: verdict.error.toJSON() },
    cause: verdict.error,
  })
}
