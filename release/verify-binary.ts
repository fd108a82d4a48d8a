import { createHash } from 'node:crypto'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'

import {
  type Binary,
  type Download,
  isMoultError,
  MoultError,
  type Platform,
  type Release,
} from '../manifests/index.ts'
import type { Digest } from './durable-files.ts'
import { mapBounded } from './map-bounded.ts'
import type { PublishedSource } from './published-source.ts'
import { step, type Surroundings } from './surroundings.ts'

export interface VerifiedFile extends Digest {
  /** Absent for an attachment. */
  readonly platform?: Platform
  /** Under which the release names a file that is for others than agents. */
  readonly attachment?: string
  readonly url: string
  /** Present for a download that is not the artifact itself. */
  readonly encoding?: string
  /** Present for a delta: the hash of the artifact that it starts from. */
  readonly from?: string
}

const DOWNLOADS_AT_ONCE = 4

/** Fetches and checks every artifact and attachment of a release. */
export async function verifyBinaries(
  source: PublishedSource,
  base: URL,
  { binaries, attachments = {} }: Release,
  around: Surroundings,
): Promise<VerifiedFile[]> {
  const files = await mapBounded(Object.entries(binaries), DOWNLOADS_AT_ONCE, around, ([platform, binary], inner) =>
    step(inner, 'read back', platform, () => verifyBinary(source, base, platform, binary, inner.signal)),
  )
  const others = await mapBounded(Object.entries(attachments), DOWNLOADS_AT_ONCE, around, ([name, wanted], inner) =>
    step(inner, 'read back', wanted.url, async (): Promise<VerifiedFile> => {
      await verifyFile(source, new URL(wanted.url, base), wanted, undefined, undefined, inner.signal)
      return { attachment: name, ...wanted }
    }),
  )
  return [...files.flat(), ...others]
}

/** Fetches the artifact and each of its downloads, and unpacks those. @throws MoultError ERR_NETWORK_* or ERR_BYTES_* */
export async function verifyBinary(
  source: PublishedSource,
  base: URL,
  platform: Platform,
  binary: Binary,
  signal: AbortSignal,
): Promise<VerifiedFile[]> {
  const files: VerifiedFile[] = []
  for (const wanted of [binary, ...(binary.downloads ?? [])] as readonly (Binary | Download)[]) {
    const { encoding, from } = wanted as Partial<Download>
    // A delta was applied before it was published, and its bytes are those of then.
    const unpacked = encoding === undefined || from !== undefined ? undefined : binary
    await verifyFile(source, new URL(wanted.url, base), wanted, unpacked, encoding, signal)
    const { url, size, sha256 } = wanted
    const more = { ...(encoding === undefined ? {} : { encoding }), ...(from === undefined ? {} : { from }) }
    files.push({ platform, url, size, sha256, ...more })
  }
  return files
}

async function verifyFile(
  source: PublishedSource,
  url: URL,
  wanted: Digest,
  unpacked: Digest | undefined,
  encoding: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const packed = meter(wanted, url)
  const body = packed.count(await source.open(url, signal))
  const decoder: Transform | undefined =
    encoding === 'br' && unpacked !== undefined ? createBrotliDecompress() : undefined
  if (decoder === undefined || unpacked === undefined) {
    await drain(body, signal)
  } else {
    const content = meter(unpacked, url)
    try {
      await pipeline(Readable.from(body), decoder, async (chunks: AsyncIterable<Buffer>) => {
        await drain(content.count(chunks), signal)
      })
    } catch (cause) {
      signal.throwIfAborted()
      if (isMoultError(cause)) throw cause
      throw new MoultError('ERR_BYTES_ENCODING', `does not unpack: ${url.pathname}`, {
        details: { url: url.href },
        cause,
      })
    }
    content.check()
  }
  packed.check()
}

async function drain(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const reader = chunks[Symbol.asyncIterator]()
  while ((await reader.next()).done !== true) signal.throwIfAborted()
}

/** Counts and hashes what flows through, and stops a body that is longer than it may be. */
function meter(
  wanted: Digest,
  url: URL,
): { count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>; check(): void } {
  const hash = createHash('sha256')
  let size = 0
  const details = { url: url.href, expected: wanted.size }
  return {
    async *count(chunks) {
      for await (const chunk of chunks) {
        size += chunk.length
        if (size > wanted.size)
          throw new MoultError('ERR_BYTES_SIZE', `longer than signed: ${url.pathname}`, { details })
        hash.update(chunk)
        yield chunk
      }
    },
    check() {
      if (size !== wanted.size)
        throw new MoultError('ERR_BYTES_SIZE', `shorter than signed: ${url.pathname}`, {
          details: { ...details, got: size },
        })
      if (hash.digest('hex') !== wanted.sha256)
        throw new MoultError('ERR_BYTES_HASH', `not the signed bytes: ${url.pathname}`, { details })
    },
  }
}
