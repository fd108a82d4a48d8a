// A test vector: what an agent has, what it is offered, and what it must say. The cases beside this file are turned into
// the files of test/vectors by scripts/make-vectors.ts; docs/vectors.md describes the format.

import {
  type ErrorCode,
  type JsonObject,
  type JsonValue,
  NO_FLOOR,
  parseDate,
  ROLLOUT_UNSIGNED,
  statementDigest,
} from '../../manifests/index.ts'
import { makeManifest, type ManifestOptions, makeRoot, NOW } from '../fixtures/signed-manifest.ts'

export interface VectorOptions extends ManifestOptions {
  readonly now?: string
  /** The newest root that the agent has accepted, when it is not the pinned one. */
  readonly accepted?: JsonObject
  /** A pinned document that cannot be used; the agent then has no state afterwards. */
  readonly badPin?: JsonValue
  /** Version of the root that the agent has afterwards, when it is not the one before. */
  readonly reaches?: number
  /** The sequence floor becomes 0 on the way. */
  readonly resets?: true
  /** The last change, of bytes that need not be text any more. */
  readonly spoil?: (bytes: Uint8Array) => Uint8Array
}

export interface VectorCase {
  readonly name: string
  readonly comment: string
  readonly expect: 'ok' | ErrorCode
  /** The valid vector that this one differs from by one fault. */
  readonly twin?: string
  readonly options: VectorOptions
}

export function accepts(name: string, comment: string, options: VectorOptions = {}): VectorCase {
  return { name, comment, expect: 'ok', options }
}

export function refuses(
  name: string,
  expect: ErrorCode,
  comment: string,
  options: VectorOptions,
  twin = 'valid',
): VectorCase {
  return { name, comment, expect, twin, options }
}

/** Writes the manifest in one line and replaces one piece of it, which must be there exactly once. */
export function replacing(from: string, to: string): Pick<VectorOptions, 'serialise'> {
  return {
    serialise(document) {
      const text = JSON.stringify(document)
      if (text.split(from).length !== 2) throw new Error(`not there exactly once: ${from}`)
      return text.replace(from, () => to)
    },
  }
}

/** The text of a vector's file. */
export function vectorFile({ comment, expect, twin, options }: VectorCase): string {
  const { accepted, badPin, now = NOW } = options
  const pinned = options.pinned ?? makeRoot(options.keys === undefined ? {} : { keys: options.keys })
  const made = makeManifest({ serialise: (document) => JSON.stringify(document), ...options, pinned })
  const bytes = options.spoil?.(made.bytes) ?? made.bytes
  const { sequence, digest } = options.floor ?? NO_FLOOR
  if (parseDate(now) === undefined) throw new Error(`not a date: ${now}`)

  const rollout = made.document['rollout'] as JsonObject
  const floor =
    expect === 'ok'
      ? { sequence: rollout['sequence'] ?? 0, digest: statementDigest(rollout, ROLLOUT_UNSIGNED) }
      : options.resets === true
        ? NO_FLOOR
        : { sequence, digest }
  const root = options.reaches ?? accepted?.['version'] ?? pinned['version'] ?? 0
  const file: JsonObject = {
    comment,
    expect,
    ...(twin === undefined ? {} : { twin }),
    now,
    trust: { root: badPin ?? pinned, channel: options.channel ?? 'stable' },
    state: { ...(accepted === undefined ? {} : { root: accepted }), sequence, digest },
    manifest: isText(bytes) ? new TextDecoder().decode(bytes) : { base64: Buffer.from(bytes).toString('base64') },
    ...(badPin === undefined ? { after: { root, ...floor } } : {}),
  }
  // A line for each member: short, and still something to compare line by line.
  const lines = Object.entries(file).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  return `{\n${lines.join(',\n')}\n}\n`
}

/** True when the bytes survive the way through a JSON string of any language. */
function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).startsWith('\ufeff')
  } catch {
    return false
  }
}
