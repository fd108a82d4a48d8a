import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'

export interface Outbox {
  /** The number that the next entry gets. */
  readonly next: number
  /** Writes an entry so that it survives a power cut; returns its number, which is one more than the last entry's. */
  append(entry: Record<string, unknown>): number
  close(): void
}

/** Opens a file of numbered JSON lines. A line that a crash cut off was never announced, and is removed. */
export function openOutbox(path: string): Outbox {
  const file = openSync(path, 'a+', 0o600)
  const text = readFileSync(file, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  ftruncateSync(file, Buffer.byteLength(whole))
  const last = whole.trimEnd().split('\n').at(-1)
  let next = last === undefined || last === '' ? 1 : Number((JSON.parse(last) as { number: number }).number) + 1
  return {
    get next() {
      return next
    },
    append(entry) {
      const line = Buffer.from(`${JSON.stringify({ number: next, ...entry })}\n`)
      for (let at = 0; at < line.length;) at += writeSync(file, line, at)
      fdatasyncSync(file)
      next += 1
      return next - 1
    },
    close() {
      closeSync(file)
    },
  }
}
