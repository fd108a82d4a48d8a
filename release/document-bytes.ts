import type { JsonObject } from '../manifests/index.ts'

/** A signed document as it is stored: indented for people. Signatures cover its canonical form, not this one. */
export function documentBytes(document: JsonObject): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(document, null, 2)}\n`)
}
