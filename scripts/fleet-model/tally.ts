// What the host would find in its log, counted by second.

/** Bytes of an answer's head, and of one without a body. */
const HEAD_BYTES = 300

export class Tally {
  readonly polls: Uint32Array
  /** Agents that came to run the newest version in this second. */
  readonly moved: Uint32Array
  readonly counts = { polls: 0, notModified: 0, manifests: 0, downloads: 0, failed: 0, decisions: 0 }
  readonly bytes = { notModified: 0, manifests: 0, downloads: 0, failed: 0 }
  /** Manifests that agents refused, by code. */
  readonly refused: Record<string, number> = {}

  constructor(seconds: number) {
    this.polls = new Uint32Array(seconds)
    this.moved = new Uint32Array(seconds)
  }

  poll(second: number): void {
    this.polls[second] = (this.polls[second] ?? 0) + 1
    this.counts.polls += 1
  }

  answer(kind: 'notModified' | 'manifests' | 'downloads' | 'failed', bodyBytes = 0): void {
    this.counts[kind] += 1
    this.bytes[kind] += HEAD_BYTES + bodyBytes
  }

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1
  }

  move(second: number): void {
    if (second < this.moved.length) this.moved[second] = (this.moved[second] ?? 0) + 1
  }
}
