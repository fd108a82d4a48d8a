// Reads a file of test/vectors, strictly: a vector that says more than this reader knows would not be run in full.

import {
  assertSelfSigned,
  checkShape,
  type ErrorCode,
  ERROR_CODES,
  isMoultError,
  type JsonObject,
  parseDate,
  readRoot,
  shape,
  type Trust,
  type Verdict,
  verifyManifest,
} from '../../manifests/index.ts'

const { anything, integer, object, optional, string } = shape
const DIGEST = /^(?:[0-9a-f]{64})?$/

const vectorShape = object({
  comment: string(),
  expect: string({ pattern: /^(?:ok|ERR_[A-Z_]+)$/ }),
  twin: optional(string({ pattern: /^[A-Za-z0-9_-]+$/ })),
  now: string(),
  trust: object({ root: anything(), channel: string() }),
  state: object({ root: optional(anything()), sequence: integer(), digest: string({ pattern: DIGEST }) }),
  manifest: anything(),
  after: optional(object({ root: integer({ min: 1 }), sequence: integer(), digest: string({ pattern: DIGEST }) })),
})
const bytesShape = object({ base64: string({ max: 1 << 20 }) })

export interface Vector extends shape.ShapeOf<typeof vectorShape> {
  readonly expect: 'ok' | ErrorCode
}

/** What a client says to a vector; `after` is absent when the pinned root is of no use. */
export interface Outcome {
  readonly verdict: 'ok' | ErrorCode
  readonly after?: { readonly root: number; readonly sequence: number; readonly digest: string }
}

/** @throws Error for anything that docs/vectors.md does not describe */
export function readVector(text: string): Vector {
  const vector = checkShape(vectorShape, JSON.parse(text), '')
  if (vector.expect !== 'ok' && !Object.hasOwn(ERROR_CODES, vector.expect)) {
    throw new Error(`no such code: ${vector.expect}`)
  }
  return vector as Vector
}

export function manifestBytes({ manifest }: Vector): Uint8Array {
  if (typeof manifest === 'string') return new TextEncoder().encode(manifest)
  return new Uint8Array(Buffer.from(checkShape(bytesShape, manifest, 'manifest').base64, 'base64'))
}

export function runVector(vector: Vector): Outcome {
  const now = parseDate(vector.now)
  if (now === undefined) throw new Error(`not a date: ${vector.now}`)
  let trust: Trust
  try {
    trust = trustOf(vector)
  } catch (error) {
    if (!isMoultError(error)) throw error
    return { verdict: error.code }
  }
  const verdict = verifyManifest(manifestBytes(vector), trust, now)
  return { verdict: verdict.kind === 'accepted' ? 'ok' : verdict.error.code, after: afterOf(verdict) }
}

/** As an agent reads its pinned root and its state. */
export function trustOf({ trust, state }: Vector): Trust {
  const pinned = readRoot(trust.root as JsonObject)
  assertSelfSigned(pinned)
  const stored = state.root === undefined ? undefined : readRoot(state.root as JsonObject)
  const isUsed = stored !== undefined && stored.name === pinned.name && stored.version >= pinned.version
  const floor = { sequence: state.sequence, digest: state.digest }
  return { root: isUsed ? stored : pinned, channel: trust.channel, floor }
}

function afterOf({ trust }: Verdict): NonNullable<Outcome['after']> {
  return { root: trust.root.version, ...trust.floor }
}
