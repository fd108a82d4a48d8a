// A queue on disk for what has to reach a server: an entry is in a file before it is sent, is sent in order under a key
// of its own, and leaves the file when the server has acknowledged it. A process that is killed at any point loses none.
// It may send one twice, when the acknowledgement was lost: the server takes each key once.

import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

const ANSWER_MS = 5000

export interface Outbox {
  /** The number that the next entry gets. */
  readonly next: number
  /** Writes an entry so that it survives a power cut; returns its number, which is one more than the last entry's. */
  append(entry: Record<string, unknown>): number
  /** Sends what waits, oldest first, until nothing does or the server does not take one; the next call tries again. */
  flush(): Promise<void>
  /** Drops what is under way; it goes out after the next start. */
  close(): void
}

/** How far the server has acknowledged the entries, and what tells this outbox from all others. */
interface Mark {
  readonly id: string
  readonly sent: number
}

/** Opens a file of numbered JSON lines; without a `server` URL nothing is ever sent, and the file keeps everything. */
export function openOutbox(path: string, server?: string): Outbox {
  let mark = readMark(path)
  const file = openSync(path, 'a+', 0o600)
  const text = readFileSync(file, 'utf8')
  // A line that a crash cut off was never announced, and is removed.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  ftruncateSync(file, Buffer.byteLength(whole))
  const lines = whole.split('\n').slice(0, -1)
  const numberOf = (line: string | undefined): number =>
    line === undefined ? 0 : Number((JSON.parse(line) as { number: number }).number)
  let next = Math.max(numberOf(lines.at(-1)), mark.sent) + 1
  const waiting = lines.filter((line) => numberOf(line) > mark.sent)
  const closed = new AbortController()
  let sending: Promise<void> | undefined

  const sendWaiting = async (url: string): Promise<void> => {
    for (let line = waiting[0]; line !== undefined; line = waiting[0]) {
      const number = numberOf(line)
      if (!(await send(url, line, `${mark.id}-${number}`, closed.signal)) || closed.signal.aborted) return
      mark = { ...mark, sent: number }
      // On disk before the line goes: its number must not be given to another entry.
      writeMark(path, mark)
      waiting.shift()
      if (waiting.length === 0) ftruncateSync(file)
    }
  }
  return {
    get next() {
      return next
    },
    append(entry) {
      const line = JSON.stringify({ number: next, ...entry })
      const bytes = Buffer.from(`${line}\n`)
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
      fdatasyncSync(file)
      if (server !== undefined) waiting.push(line)
      next += 1
      return next - 1
    },
    async flush() {
      if (server === undefined || closed.signal.aborted) return
      sending ??= sendWaiting(server).finally(() => (sending = undefined))
      await sending
    },
    close() {
      if (closed.signal.aborted) return
      closed.abort()
      closeSync(file)
    },
  }
}

/** @returns whether the server has it, and said so */
async function send(url: string, body: string, key: string, signal: AbortSignal): Promise<boolean> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  const headers = { 'content-type': 'application/json', 'idempotency-key': key }
  try {
    const response = await fetch(url, { method: 'POST', body, headers, signal: limit })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

function readMark(path: string): Mark {
  try {
    return JSON.parse(readFileSync(`${path}.sent`, 'utf8')) as Mark
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    // Random, as an outbox that was lost and begun anew must not use the keys of the old one again.
    const mark = { id: randomUUID(), sent: 0 }
    writeMark(path, mark)
    return mark
  }
}

/** The old mark or the new one, whole, whatever happens in between. */
function writeMark(path: string, mark: Mark): void {
  writeFileSync(`${path}.sent.new`, JSON.stringify(mark), { mode: 0o600, flush: true })
  renameSync(`${path}.sent.new`, `${path}.sent`)
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}
