// Feature flags and A/B tests as signed data: a value for a share of the fleet, without a new version.

import { isBelowShare, rolloutBucket } from './bucket.ts'
import { FLAGS_MAX } from './limits.ts'
import {
  array,
  integer,
  object,
  optional,
  record,
  refined,
  type Shape,
  type ShapeOf,
  ShapeMismatch,
  singleLine,
} from './shape.ts'

export type FlagValue = string | number | boolean

export const FLAG_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/
const VALUE_MAX_CHARS = 256

const flagValueShape: Shape<FlagValue> = {
  check(value, path) {
    if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))) return value
    if (typeof value === 'string') return singleLine(VALUE_MAX_CHARS).check(value, path)
    throw new ShapeMismatch(path, 'a string, an integer, true or false', typeof value)
  },
  schema: { type: ['string', 'integer', 'boolean'] },
}

const flagShape = object({
  /** Shares of the fleet, one after the other; an agent beyond them has no such flag. */
  shares: refined(
    array(object({ value: flagValueShape, percent: integer({ max: 100 }) }), { min: 1, max: 16 }),
    (shares) => shares.reduce((sum, { percent }) => sum + percent, 0) <= 100,
    'shares of at most 100 percent together',
  ),
  /** Salt of the buckets; the name when absent, so that an agent keeps its side from one release to the next. */
  salt: optional(singleLine(128)),
})
export const flagsShape = record(FLAG_NAME, flagShape, { max: FLAGS_MAX })

export type FlagDefinition = ShapeOf<typeof flagShape>
export type Flags = Readonly<Record<string, FlagValue>>

/** The value of each flag for one agent; a flag that has none for it is absent. */
export function flagValues(definitions: Readonly<Record<string, FlagDefinition>>, agentId: string): Flags {
  const flags: Record<string, FlagValue> = {}
  for (const [name, { shares, salt = `flag:${name}` }] of Object.entries(definitions)) {
    const bucket = rolloutBucket(salt, agentId)
    let reached = 0
    const share = shares.find(({ percent }) => {
      reached += percent
      return isBelowShare(bucket, reached)
    })
    if (share !== undefined) flags[name] = share.value
  }
  return flags
}
