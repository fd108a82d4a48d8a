// Versions that have much in common, and offers of the next one as a delta.

import { brotliCompressSync } from 'node:zlib'

import { createPatch } from '../../../delta/index.ts'
import { type JsonValue, sha256 } from '../../../manifests/index.ts'
import { randomFrom } from '../../fuzz/random.ts'
import { type Host, manifestOf, NAME, type Offer, PLATFORM, program } from '../field.ts'

/** Lines of a comment that do not compress well. */
function ballast(seed: number, lines: number): string {
  const random = randomFrom(seed)
  const words = (): string => Array.from({ length: 9 }, () => random().toString(36).slice(2)).join('')
  return Array.from({ length: lines }, () => `# ${words()}\n`).join('')
}
const COMMON = ballast(20261121, 600)

/** The body of a version's program: some bytes of its own, and many that are the same in each. */
export function bodyOf(version: string): string {
  return `echo is ${version}; exit 0\n${ballast(Number(version.replaceAll('.', '')), 20)}${COMMON}`
}
export const artifactFor = (version: string): Buffer => program(version, bodyOf(version))

const made = new Map<string, Buffer>()

/** Both take their time, and many tests want the same. */
function once(key: string, make: () => Uint8Array): Buffer {
  const bytes = made.get(key) ?? Buffer.from(make())
  made.set(key, bytes)
  return bytes
}

export function compressed(artifact: Buffer): Buffer {
  return once(sha256(artifact), () => brotliCompressSync(artifact))
}

export function patchFor(old: Buffer, fresh: Buffer): Buffer {
  return once(`${sha256(old)} ${sha256(fresh)}`, () => createPatch(old, fresh))
}

export interface Delta {
  readonly from: Buffer
  /** Another patch than the right one. */
  readonly patch?: Buffer
  readonly fromVersion?: string
  readonly encoding?: string
}

export interface DeltaOffer extends Pick<Offer, 'version' | 'sequence'> {
  readonly artifact?: Buffer
  readonly deltas: readonly Delta[]
  readonly br?: boolean
  readonly binary?: Record<string, JsonValue>
}

export function deltaUrl(version: string, fromVersion: string): string {
  return `bin/${version}/${NAME}-${PLATFORM}.from-${fromVersion}`
}

export interface Published {
  /** The member of the release for this platform. */
  readonly binary: Record<string, JsonValue>
  readonly patches: readonly Buffer[]
}

/** Puts an artifact and its deltas on the host, each signed as it is. */
export function publishDeltas(host: Host, offer: DeltaOffer): Published {
  const { version, sequence = 10, artifact = artifactFor(version), deltas, br = true, binary = {} } = offer
  const downloads: JsonValue[] = []
  host.serve(`${version}.bin`, artifact)
  if (br) {
    const packed = compressed(artifact)
    host.serve(`${version}.br`, packed)
    downloads.push({ url: `${version}.br`, size: packed.length, sha256: sha256(packed), encoding: 'br' })
  }
  const patches = deltas.map(({ from, patch, fromVersion = '1.0.0', encoding = 'moult-delta-1' }) => {
    const bytes = patch ?? patchFor(from, artifact)
    const url = deltaUrl(version, fromVersion)
    host.serve(url, bytes)
    downloads.push({ url, size: bytes.length, sha256: sha256(bytes), encoding, from: sha256(from) })
    return bytes
  })
  const whole = { url: `${version}.bin`, size: artifact.length, sha256: sha256(artifact), downloads, ...binary }
  host.serve('version.json', manifestOf({ version, artifact, sequence, binary: whole }))
  return { binary: whole, patches }
}
