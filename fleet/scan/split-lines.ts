// Chunks to lines, without copying but for those that lie on a border.

/** The longest request that CloudFront logs, each byte of it escaped twice. Longer lines are dropped and counted. */
export const LINE_MAX_BYTES = 256 * 1024
const NEWLINE = 0x0a
const RETURN = 0x0d

export interface LineSink {
  /** `bytes[start, end)` without the line end; never empty. */
  onLine(bytes: Buffer, start: number, end: number): void
  /** The start of a line beyond the limit. */
  onLongLine(bytes: Buffer): void
}

export class LineSplitter {
  readonly #sink: LineSink
  #pending: Buffer | undefined
  #isSkipping = false

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  /** The chunk may be used again afterwards. */
  write(chunk: Buffer): void {
    let start = 0
    if (this.#pending !== undefined || this.#isSkipping) {
      const first = chunk.indexOf(NEWLINE)
      this.#keep(chunk.subarray(0, first === -1 ? chunk.length : first))
      if (first === -1) return
      this.#finish()
      start = first + 1
    }
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end === -1) break
      this.#emit(chunk, start, end)
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** The last line may lack its line end. */
  end(): void {
    this.#finish()
  }

  #keep(part: Buffer): void {
    if (this.#isSkipping) return
    const pending = this.#pending === undefined ? Buffer.from(part) : Buffer.concat([this.#pending, part])
    if (pending.length <= LINE_MAX_BYTES) {
      this.#pending = pending
      return
    }
    this.#sink.onLongLine(pending.subarray(0, LINE_MAX_BYTES))
    this.#pending = undefined
    this.#isSkipping = true
  }

  #finish(): void {
    const pending = this.#pending
    this.#pending = undefined
    this.#isSkipping = false
    if (pending !== undefined) this.#emit(pending, 0, pending.length)
  }

  #emit(bytes: Buffer, start: number, lineEnd: number): void {
    const end = lineEnd > start && bytes[lineEnd - 1] === RETURN ? lineEnd - 1 : lineEnd
    if (end - start > LINE_MAX_BYTES) this.#sink.onLongLine(bytes.subarray(start, start + LINE_MAX_BYTES))
    else if (end > start) this.#sink.onLine(bytes, start, end)
  }
}
