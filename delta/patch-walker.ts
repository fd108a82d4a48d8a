// The second part of a patch, in the order of the new file: bytes that are new, and covers, whose old bytes are
// predicted to the new ones and corrected. One description for both directions: the encoder is given the new file, the
// decoder makes it.

import { BitModels } from './bit-models.ts'
import { CoverCoder, PIECE_BYTES } from './cover-coder.ts'
import { CoverMap } from './cover-map.ts'
import { AddressSpace } from './executable-map.ts'
import { LiteralModel } from './literal-model.ts'
import { OldPages } from './old-pages.ts'
import { HASH_BYTES, PageHashes } from './page-hashes.ts'
import { pairSpares, type PatchPlan } from './patch-layout.ts'
import type { BitCoder, ByteSource } from './range-coder.ts'

/** Whoever applies a patch does other work between two pieces of output: more would keep it waiting. */
const OUTPUT_BYTES = 16384
const TRUST_FIRST = 3
const TRUST_MAX = 7
const FOLLOWED_BYTES = 8
/** Given out where a step made no output. */
export const NOTHING = new Uint8Array(0)

export class PatchWalker {
  readonly #coder: BitCoder
  readonly #plan: PatchPlan
  readonly #actual: Uint8Array | undefined
  readonly #pages: OldPages
  readonly #newSpace: AddressSpace
  readonly #map: CoverMap
  readonly #literals: LiteralModel
  readonly #covers: CoverCoder
  readonly #hashes: PageHashes
  readonly #hashed = new BitModels(1)
  readonly #output = new Uint8Array(OUTPUT_BYTES)
  #filled = 0
  /** Up to where the hashes of pages have seen the output. */
  #fed = 0
  #trust = TRUST_FIRST
  /** Up to where no page hash was right, or there is none. */
  #spelled = 0

  constructor(coder: BitCoder, old: ByteSource, plan: PatchPlan, actual?: Uint8Array) {
    this.#coder = coder
    this.#plan = plan
    this.#actual = actual
    this.#pages = new OldPages(old)
    const oldSpace = new AddressSpace(plan.oldRegions, plan.oldSize)
    this.#newSpace = new AddressSpace(plan.newRegions, plan.newSize)
    this.#map = new CoverMap(plan.covers, oldSpace.end, pairSpares(plan))
    this.#hashes = new PageHashes(plan.newRegions, plan.newSize)
    let copied = 0
    for (let index = 0; index < plan.covers.count; index++) copied += plan.covers.lengths[index] as number
    this.#literals = new LiteralModel(plan.newSize - copied)
    this.#covers = new CoverCoder({
      coder,
      actual,
      oldSpace,
      pages: this.#pages,
      newSpace: this.#newSpace,
      map: this.#map,
      literals: this.#literals,
    })
  }

  /** The new file in pieces that the next step overwrites; some are empty. */
  *walk(): Generator<Uint8Array> {
    for (const preparing of [this.#map.prepare(), this.#covers.prepare()]) {
      while (preparing.next().done !== true) yield NOTHING
    }
    const { covers, newSize } = this.#plan
    let place = 0
    let follows = 0
    for (let index = 0; index < covers.count; index++) {
      const start = covers.news[index] as number
      yield* this.#walkLiterals(place, start, follows)
      const old = covers.olds[index] as number
      const length = covers.lengths[index] as number
      yield* this.#walkCover(start, old, length)
      place = start + length
      follows = old + length
    }
    yield* this.#walkLiterals(place, newSize, follows)
    if (this.#filled > 0) yield this.#take()
  }

  /** Bytes [place, end) that come from nowhere; `follows`: where the old file would go on. */
  *#walkLiterals(place: number, end: number, follows: number): Generator<Uint8Array> {
    this.#trust = TRUST_FIRST
    for (let at = place, old = follows; at < end;) {
      if (this.#filled + HASH_BYTES > OUTPUT_BYTES) yield this.#take()
      const count = this.#takeHash(at, end) ? HASH_BYTES : this.#takeLiteral(at, this.#pages.byteAt(old))
      at += count
      old += count
    }
    this.#literals.endRun()
  }

  #takeLiteral(place: number, expected: number): number {
    const wanted = this.#actual === undefined ? 0 : (this.#actual[place] as number)
    const kind = this.#newSpace.kindOf(place)
    const byte = this.#literals.code(this.#coder, wanted, expected, this.#trust, kind, place)
    this.#trust = byte === expected ? Math.min(TRUST_MAX, this.#trust + 1) : Math.max(0, this.#trust - 2)
    this.#output[this.#filled++] = byte
    return 1
  }

  /** Takes over the hash of a page when one begins at `place` and the patch says that it is right. */
  #takeHash(place: number, end: number): boolean {
    if (place < this.#spelled || !this.#hashes.holds(place)) return false
    this.#feedHashes()
    const hash = this.#hashes.expectedAt(place, end)
    if (hash === undefined) return false
    const actual = this.#actual
    const right = actual !== undefined && hash.every((byte, index) => byte === actual[place + index])
    if (this.#hashed.code(this.#coder, 0, right ? 1 : 0) === 0) {
      this.#spelled = place + HASH_BYTES
      return false
    }
    this.#output.set(hash, this.#filled)
    this.#filled += HASH_BYTES
    return true
  }

  *#walkCover(place: number, old: number, length: number): Generator<Uint8Array> {
    const { work } = this.#covers
    this.#map.enter(old, old + length, place - old)
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const size = Math.min(PIECE_BYTES, length - done)
      this.#covers.code(place + done, old + done, size)
      for (let from = 0; from < size;) {
        if (this.#filled === OUTPUT_BYTES) yield this.#take()
        const count = Math.min(size - from, OUTPUT_BYTES - this.#filled)
        this.#output.set(work.subarray(from, from + count), this.#filled)
        this.#filled += count
        from += count
      }
      for (let at = Math.max(0, size - FOLLOWED_BYTES); at < size; at++) this.#literals.follow(work[at] as number)
    }
  }

  #take(): Uint8Array {
    this.#feedHashes()
    const taken = this.#output.subarray(0, this.#filled)
    this.#filled = 0
    this.#fed = 0
    return taken
  }

  #feedHashes(): void {
    if (this.#hashes.used) this.#hashes.feed(this.#output.subarray(this.#fed, this.#filled))
    this.#fed = this.#filled
  }
}
