// From the escaped bytes of a User-Agent to what it says, without decoding those that differ from an earlier one in the
// id only. That is nearly all of them.

const ID_CHARS = 16
const BUCKETS = 4096
/** Longer chains come from clients that try for them. */
const CHAIN_MAX = 16
const TEMPLATES_MAX = 8192
const HEAD_BYTES = 40
const END_BYTES = 24

const HEX = new Int8Array(256).fill(-1)
for (let value = 0; value < 16; value++) HEX[value.toString(16).charCodeAt(0)] = value

interface Template {
  readonly bytes: Uint8Array
  /** Where the digits of the id start. */
  readonly idAt: number
  readonly tail: number
}

export class BeaconCache {
  /** Of the last one that was found. */
  tail = 0
  idHigh = 0
  idLow = 0
  #buckets: (Template[] | undefined)[] = new Array<Template[] | undefined>(BUCKETS)
  #count = 0

  /** True when these bytes are those of a known beacon but for the digits of the id. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    const templates = this.#buckets[bucketOf(bytes, start, end)]
    if (templates === undefined) return false
    for (const template of templates) {
      if (!matches(template, bytes, start, end)) continue
      const idAt = start + template.idAt
      this.idHigh = readHex(bytes, idAt)
      this.idLow = readHex(bytes, idAt + 8)
      this.tail = template.tail
      // What looks like digits and is none is left to the parser.
      return this.idHigh >= 0 && this.idLow >= 0
    }
    return false
  }

  /** Remembers a beacon that has an id and no events. `id` are its digits as they stand in the bytes. */
  add(bytes: Uint8Array, start: number, end: number, id: string, tail: number): void {
    const own = Uint8Array.prototype.slice.call(bytes, start, end)
    const text = Buffer.from(own.buffer, own.byteOffset, own.length)
    const idAt = text.indexOf(`id=${id}`) + 3
    // Twice, and it is not told which of them is the id.
    if (idAt < 3 || text.lastIndexOf(`id=${id}`) + 3 !== idAt) return
    if (this.#count >= TEMPLATES_MAX) this.#forget()
    const bucket = bucketOf(bytes, start, end)
    const templates = (this.#buckets[bucket] ??= [])
    if (templates.length >= CHAIN_MAX) return
    templates.push({ bytes: own, idAt, tail })
    this.#count++
  }

  #forget(): void {
    this.#buckets = new Array<Template[] | undefined>(BUCKETS)
    this.#count = 0
  }
}

/** The ids lie in between. */
function bucketOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  const headEnd = Math.min(start + HEAD_BYTES, end)
  for (let at = start; at < headEnd; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  for (let at = Math.max(headEnd, end - END_BYTES); at < end; at++)
    hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1)
}

function matches(template: Template, bytes: Uint8Array, start: number, end: number): boolean {
  const own = template.bytes
  const length = own.length
  if (length !== end - start) return false
  const idAt = template.idAt
  for (let at = 0; at < idAt; at++) if (own[at] !== bytes[start + at]) return false
  for (let at = idAt + ID_CHARS; at < length; at++) if (own[at] !== bytes[start + at]) return false
  return true
}

/** 8 hexadecimal digits as an unsigned number; -1 for anything else. */
function readHex(bytes: Uint8Array, start: number): number {
  let value = 0
  let bad = 0
  for (let at = start; at < start + 8; at++) {
    const digit = HEX[bytes[at] ?? 0] ?? -1
    bad |= digit
    value = (value << 4) | digit
  }
  return bad < 0 ? -1 : value >>> 0
}
