// The release that a rollout means for this agent instead of the one in the manifest: a pin of its rule, or the one
// before. It never changes, so it is fetched once and kept; each use checks it anew.

import {
  isMoultError,
  MANIFEST_MAX_BYTES,
  MoultError,
  type Release,
  type ReleaseRef,
  type Root,
  type Verified,
  verifyRelease,
} from '../../manifests/index.ts'
import { readIfPossible, replaceFile } from '../home/durable-file.ts'
import type { Home } from '../home/home.ts'
import { discardBody, readBody } from './http.ts'
import { getDocument, type PollOptions, statusError } from './poll.ts'
import { resolveUrl } from './url-policy.ts'

/**
 * @param base what relative URLs of the manifest begin at
 * @throws MoultError ERR_NETWORK_*, ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function otherRelease(
  home: Home,
  ref: ReleaseRef,
  root: Root,
  base: URL,
  options: Omit<PollOptions, 'url'>,
): Promise<Verified<Release>> {
  const kept = keptRelease(home, ref, root)
  if (kept !== undefined) return kept
  const bytes = await fetchRelease(ref, base, options)
  const release = verifyRelease(bytes, ref, root)
  replaceFile(home.disk, home.release, bytes)
  return release
}

function keptRelease(home: Home, ref: ReleaseRef, root: Root): Verified<Release> | undefined {
  const bytes = readIfPossible(home.release)
  if (bytes === undefined) return undefined
  try {
    return verifyRelease(bytes, ref, root)
  } catch (error) {
    // Another one, or damaged: fetched anew.
    if (isMoultError(error)) return undefined
    throw error
  }
}

async function fetchRelease(ref: ReleaseRef, base: URL, options: Omit<PollOptions, 'url'>): Promise<Buffer> {
  const response = await getDocument(resolveUrl(ref.url, base), { ...options, url: base })
  if (response.status !== 200) {
    discardBody(response)
    throw statusError(response)
  }
  return readBody(response, MANIFEST_MAX_BYTES, () => {
    return new MoultError('ERR_MANIFEST_TOO_LARGE', `larger than ${MANIFEST_MAX_BYTES} bytes: release ${ref.version}`)
  })
}
