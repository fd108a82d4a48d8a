import { createHash } from 'node:crypto'

import type { JsonObject, JsonValue } from './strict-json.ts'

/**
 * Canonical JSON (RFC 8785) of a value of the strict profile. With integers only and ASCII keys the scheme comes down
 * to sorted keys and `JSON.stringify` of each leaf, so `jq -cSj .` prints the same bytes.
 */
export function canonicalJson(value: JsonValue): Uint8Array {
  return new TextEncoder().encode(canonicalText(value))
}

function canonicalText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalText(value[key] as JsonValue)}`)
  return `{${members.join(',')}}`
}

/** The bytes that a statement's signatures cover: its canonical form without the named members. */
export function signedBytes(document: JsonObject, unsigned: readonly string[]): Uint8Array {
  return canonicalJson(Object.fromEntries(Object.entries(document).filter(([key]) => !unsigned.includes(key))))
}

/** Lower-case hexadecimal SHA-256. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
