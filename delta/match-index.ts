// Finds where a stretch of the new file occurs in the old one: windows are hashed at places their own content chooses,
// so that both files choose the same ones, and places with one hash are chained.

const WINDOW = 16
const CHAIN_MAX = 24

export type Stretch = { start: number; end: number }
export type Match = { old: number; start: number; end: number }

export class MatchIndex {
  readonly #old: Uint8Array
  readonly #heads: Int32Array
  readonly #nexts: Int32Array
  readonly #places: Int32Array
  readonly #shift: number
  readonly #sample: number
  #count = 0

  /** `dense`: stretches of the old file of which every place is taken up. */
  constructor(old: Uint8Array, dense: readonly Stretch[]) {
    this.#old = old
    const sampleBits = old.length > 1 << 26 ? 3 : old.length > 1 << 22 ? 2 : 0
    const sample = (1 << sampleBits) - 1
    const denseTotal = dense.reduce((total, { start, end }) => total + end - start, 0)
    const expected = (old.length >>> sampleBits) + denseTotal
    this.#sample = dense.length > 0 ? 0 : sample
    let bits = 12
    while (bits < 24 && 1 << bits < expected) bits++
    this.#shift = 32 - bits
    this.#heads = new Int32Array(1 << bits).fill(-1)
    const room = Math.floor(expected * 1.3) + 4096
    this.#nexts = new Int32Array(room)
    this.#places = new Int32Array(room)
    let reached = 0
    for (const { start, end } of dense) {
      this.#take(reached, start, sample)
      this.#take(start, end, 0)
      reached = end
    }
    this.#take(reached, old.length, sample)
  }

  #take(from: number, to: number, sample: number): void {
    const old = this.#old
    const places = this.#places
    const nexts = this.#nexts
    const heads = this.#heads
    const shift = this.#shift
    const last = Math.min(to, old.length - WINDOW + 1)
    let before = 0
    for (let place = from; place < last; place++) {
      const hash = windowHash(old, place)
      if ((hash & sample) !== 0 || hash === before || this.#count >= places.length) continue
      before = hash
      const bucket = hash >>> shift
      places[this.#count] = place
      nexts[this.#count] = heads[bucket] as number
      heads[bucket] = this.#count++
    }
  }

  /** The longest match around `place` of the new file that begins at `floor` or later; near `near` when lengths tie. */
  find(fresh: Uint8Array, place: number, floor: number, near: number, into: Match): boolean {
    if (place + WINDOW > fresh.length) return false
    const hash = windowHash(fresh, place)
    if ((hash & this.#sample) !== 0) return false
    const old = this.#old
    const nexts = this.#nexts
    const places = this.#places
    let best = 0
    let bestDistance = 0
    let entry = this.#heads[hash >>> this.#shift] as number
    for (let steps = 0; entry >= 0 && steps < CHAIN_MAX; steps++, entry = nexts[entry] as number) {
      const candidate = places[entry] as number
      const limit = Math.min(fresh.length - place, old.length - candidate)
      let forward = 0
      while (forward < limit && fresh[place + forward] === old[candidate + forward]) forward++
      if (forward < WINDOW) continue
      const most = Math.min(place - floor, candidate)
      let back = 0
      while (back < most && fresh[place - back - 1] === old[candidate - back - 1]) back++
      const distance = Math.abs(candidate - near)
      const length = forward + back
      if (length < best || (length === best && distance >= bestDistance)) continue
      best = length
      bestDistance = distance
      into.old = candidate - back
      into.start = place - back
      into.end = place + forward
    }
    return best > 0
  }
}

export function windowHash(bytes: Uint8Array, at: number): number {
  const a =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  const b =
    (bytes[at + 4] as number) |
    ((bytes[at + 5] as number) << 8) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 24)
  const c =
    (bytes[at + 8] as number) |
    ((bytes[at + 9] as number) << 8) |
    ((bytes[at + 10] as number) << 16) |
    ((bytes[at + 11] as number) << 24)
  const d =
    (bytes[at + 12] as number) |
    ((bytes[at + 13] as number) << 8) |
    ((bytes[at + 14] as number) << 16) |
    ((bytes[at + 15] as number) << 24)
  let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77)
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae3d) ^ Math.imul(c, 0x27d4eb2f)
  hash = Math.imul(hash ^ (hash >>> 13) ^ d, 0x165667b1)
  return hash ^ (hash >>> 16)
}
