// What is known about a channel besides what a place serves: without it, an old copy looks like a new one.

import { readFile } from 'node:fs/promises'

import {
  assertSelfSigned,
  hashShape,
  isMoultError,
  type JsonObject,
  MoultError,
  nameShape,
  NO_FLOOR,
  parseStrictJson,
  readRoot,
  type Root,
  shape,
  type Trust,
  type Verdict,
  verifyManifest,
} from '../manifests/index.ts'
import { documentBytes } from './document-bytes.ts'
import { writeDurably } from './durable-files.ts'

export interface KnownFloor {
  /** The newest root known: under an older one, a manifest by keys that were revoked would look sound. */
  readonly root: Root
  readonly sequence: number
  /** Of the rollout with this sequence; undefined: any. */
  readonly digest?: string
}

const SEEN_FORMAT = 'moult-seen/1'
const seenShape = shape.object({
  format: shape.oneOf(SEEN_FORMAT),
  channel: nameShape,
  floor: shape.object({ sequence: shape.integer({ min: 1 }), digest: hashShape }),
  root: shape.anything(),
})

/** Verifies as an agent does that has seen the floor. */
export function verifyAbove(bytes: Uint8Array, known: KnownFloor, channel: string, now: number): Verdict {
  const { root, sequence, digest } = known
  const verdict = verifyManifest(bytes, { root, channel, floor: { sequence, digest: digest ?? '' } }, now)
  const isAtFloor = verdict.kind === 'refused' && verdict.error.code === 'ERR_TRUST_EQUIVOCATION'
  return isAtFloor && digest === undefined ? verifyManifest(bytes, { root, channel, floor: NO_FLOOR }, now) : verdict
}

/** The one that says more. */
export function higherFloor(a: KnownFloor | undefined, b: KnownFloor | undefined): KnownFloor | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const { sequence, digest } = b.sequence > a.sequence || (b.sequence === a.sequence && a.digest === undefined) ? b : a
  return {
    root: b.root.version > a.root.version ? b.root : a.root,
    sequence,
    ...(digest === undefined ? {} : { digest }),
  }
}

/** What an earlier check remembered; undefined before the first. @throws MoultError ERR_CONFIG_INVALID */
export async function readSeen(file: string, name: string, channel: string): Promise<KnownFloor | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unusable(file, 'cannot be read', error)
  }
  try {
    const seen = seenShape.check(parseStrictJson(bytes), '')
    const root = readRoot(seen.root as JsonObject)
    assertSelfSigned(root)
    if (root.name !== name || seen.channel !== channel) throw unusable(file, `of ${root.name} on ${seen.channel}`)
    return { root, ...seen.floor }
  } catch (error) {
    if (isMoultError(error) && error.code === 'ERR_CONFIG_INVALID') throw error
    throw unusable(file, error instanceof Error ? error.message : String(error), error)
  }
}

export async function writeSeen(file: string, { root, channel, floor }: Trust): Promise<void> {
  const document = { format: SEEN_FORMAT, channel, floor: { ...floor }, root: root.document }
  await writeDurably(file, { how: 'replace', fill: (target) => target.writeFile(documentBytes(document)) })
}

function unusable(file: string, reason: string, cause?: unknown): MoultError {
  return new MoultError('ERR_CONFIG_INVALID', `not what an earlier check remembered (${reason}): ${file}`, {
    hint: 'Name another file with --remember, or remove this one and begin anew.',
    details: { file },
    cause,
  })
}
