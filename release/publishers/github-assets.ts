// Assets of a release. An upload that broke leaves an asset that is not whole; it has the name, and has to go first.

import { createReadStream } from 'node:fs'

import { MoultError, sha256 } from '../../manifests/index.ts'
import { type Digest, digestOfFile } from '../durable-files.ts'
import type { Call, GitHubConnection } from './github-client.ts'
import { isAnswer } from './github-error.ts'
import { type GitHubAsset, type GitHubRelease, passMissing, readRelease } from './github-releases.ts'
import type { PublishFile } from './publisher.ts'
import { changedSinceHashed, digestOfStream } from './read-stream.ts'

/** GitHub refuses assets from here on. */
const ASSET_MAX_BYTES = 2 * 1024 ** 3
/** Without a byte taken from us. */
const UPLOAD_STALL_MS = 120_000
const CHUNK_BYTES = 256 * 1024
const TAKEN_MAX = 3

/** A whole asset by its name. */
export function assetOf(release: GitHubRelease | undefined, name: string): GitHubAsset | undefined {
  return release?.assets.find((asset) => asset.name === name && asset.state === 'uploaded')
}

/** By the service's own hash of what it stored, else by reading all of it. */
export async function digestOfAsset(github: GitHubConnection, asset: GitHubAsset): Promise<Digest | undefined> {
  const hash = /^sha256:([0-9a-f]{64})$/.exec(asset.digest ?? '')?.[1]
  if (hash !== undefined) return { size: asset.size, sha256: hash }
  const chunks = await openAsset(github, asset)
  return chunks && digestOfStream(chunks)
}

/** The bytes as they flow, also of a draft; undefined when the asset is gone. */
export async function openAsset(
  github: GitHubConnection,
  { id, name }: GitHubAsset,
  stop?: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  return github.guard(
    name,
    async ({ octokit, at, signal: lasting }) => {
      const signal = stop === undefined ? lasting : AbortSignal.any([lasting, stop])
      const answer = await octokit.rest.repos
        .getReleaseAsset({
          ...at,
          asset_id: id,
          // The answer redirects to a host that stores it; fetch does not take the token there.
          headers: { ...at.headers, accept: 'application/octet-stream' },
          request: { signal, parseSuccessResponseBody: false },
        })
        .catch(passMissing)
      return answer?.data as unknown as AsyncIterable<Uint8Array> | undefined
    },
    false,
  )
}

/**
 * Uploads under a name that is free. When it returns, what the service has stored is what was hashed.
 * @throws MoultError ERR_PUBLISH_FAILED, or ERR_PUBLISH_CONFLICT when somebody took the name meanwhile
 */
export async function uploadAsset(
  github: GitHubConnection,
  release: GitHubRelease,
  name: string,
  file: PublishFile,
  onProgress: (doneBytes: number) => void = () => {},
): Promise<GitHubAsset> {
  await assertSource(file, name)
  let furthest = 0
  const onBytes = (doneBytes: number): void => {
    // What is sent again is no progress.
    if (doneBytes > furthest) onProgress((furthest = doneBytes))
  }
  let isFirst = true
  for (let taken = 0; ; taken++) {
    const sent = await github.guard(name, async (call) => {
      const whole = isFirst ? undefined : await clearName(github, release, name, file)
      if (whole !== undefined) return whole
      isFirst = false
      try {
        return await send(call, release, name, file, onBytes)
      } catch (error) {
        if (taken < TAKEN_MAX && isAnswer(error, 422, 'name', 'already_exists')) return 'name is taken'
        throw error
      }
    })
    // By a broken upload, or by one whose answer was lost: the next round finds out.
    if (sent === 'name is taken') continue
    await assertStored(github, sent, name, file)
    onBytes(file.size)
    return sent
  }
}

export async function deleteAsset(github: GitHubConnection, { id, name }: GitHubAsset): Promise<void> {
  await github.guard(name, async ({ octokit, at }) => {
    await octokit.rest.repos.deleteReleaseAsset({ ...at, asset_id: id }).catch(passMissing)
  })
}

/** GitHub does this at one instant, and not when the name is taken or the asset gone: then false. */
export async function renameAsset(github: GitHubConnection, { id }: GitHubAsset, name: string): Promise<boolean> {
  return github.guard(name, async ({ octokit, at }) => {
    try {
      await octokit.rest.repos.updateReleaseAsset({ ...at, asset_id: id, name })
      return true
    } catch (error) {
      if (isAnswer(error, 422, 'name', 'already_exists') || isAnswer(error, 404)) return false
      throw error
    }
  })
}

async function assertSource(file: PublishFile, name: string): Promise<void> {
  if (file.size >= ASSET_MAX_BYTES) {
    throw new MoultError('ERR_PUBLISH_REFUSED', `larger than the 2 GiB that GitHub takes: ${name}`, {
      hint: 'Publish to a bucket or a directory.',
      details: { size: file.size },
    })
  }
  if (file.size === 0) throw new MoultError('ERR_PUBLISH_REFUSED', `GitHub takes no empty file: ${name}`)
  const { source } = file
  const found =
    'bytes' in source
      ? { size: source.bytes.length, sha256: sha256(source.bytes) }
      : ((await digestOfFile(source.file)) ?? { size: 0, sha256: '' })
  if (found.sha256 !== file.sha256) throw changedSinceHashed(name, found)
}

async function send(
  { octokit, at, signal }: Call,
  { upload_url: url }: GitHubRelease,
  name: string,
  { source, size }: PublishFile,
  onBytes: (doneBytes: number) => void,
): Promise<GitHubAsset> {
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(), UPLOAD_STALL_MS)
  try {
    const answer = await octokit.request({
      method: 'POST',
      url,
      ...at,
      name,
      data: 'bytes' in source ? source.bytes : chunksOf(source.file, onBytes, () => timer.refresh()),
      headers: {
        ...at.headers,
        'content-type': 'application/octet-stream',
        // Of bytes fetch tells the length itself. Twice is refused once the package undici was loaded in this process.
        ...('bytes' in source ? {} : { 'content-length': size }),
      },
      request: { signal: AbortSignal.any([signal, stalled.signal]), fetch: fetchOnce },
    })
    return answer.data as GitHubAsset
  } finally {
    clearTimeout(timer)
  }
}

/** By default fetch keeps a copy of the whole body, in memory, in case that it is redirected. */
function fetchOnce(url: string, init: RequestInit): Promise<Response> {
  return fetch(url, { ...init, redirect: 'error', window: null })
}

async function* chunksOf(
  file: string,
  onBytes: (doneBytes: number) => void,
  onTaken: () => void,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    yield chunk
    onTaken()
    onBytes((doneBytes += chunk.length))
  }
}

/** The asset, when the bytes are there already; frees the name of what is not whole. */
async function clearName(
  github: GitHubConnection,
  { id, tag_name: tag }: GitHubRelease,
  name: string,
  file: PublishFile,
): Promise<GitHubAsset | undefined> {
  const found = (await readRelease(github, tag, id))?.assets.find((asset) => asset.name === name)
  if (found === undefined) return undefined
  if (found.state !== 'uploaded') {
    await deleteAsset(github, found)
    return undefined
  }
  if ((await digestOfAsset(github, found))?.sha256 === file.sha256) return found
  throw new MoultError('ERR_PUBLISH_CONFLICT', `another release has uploaded it meanwhile: ${tag}/${name}`, {
    hint: 'Look at what is live now and release again.',
    details: { tag, name },
  })
}

async function assertStored(
  github: GitHubConnection,
  asset: GitHubAsset,
  name: string,
  file: PublishFile,
): Promise<void> {
  const stored = asset.name === name && asset.state === 'uploaded' ? await digestOfAsset(github, asset) : undefined
  if (stored?.sha256 === file.sha256) return
  await deleteAsset(github, asset)
  const reason = asset.name === name ? 'did not arrive whole' : `was stored as ${asset.name}`
  throw new MoultError('ERR_PUBLISH_FAILED', `${reason}: ${name}`, {
    hint: 'Nothing of it is live. Run the command again.',
    details: { name, expected: file.sha256, stored: stored?.sha256 ?? null },
  })
}
