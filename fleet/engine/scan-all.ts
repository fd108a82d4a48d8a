// Many logs into one fleet: a thread for each core unpacks and reads, this one folds.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

import { type ErrorCode, ERROR_CODES, MoultError } from '../../manifests/errors.ts'
import { BatchWriter } from '../scan/batch.ts'
import { addCounts, emptyCounts, type LogCounts } from '../scan/log-counts.ts'
import type { ScanScope } from '../scan/scanner.ts'
import type { LogSource } from '../sources/log-source.ts'
import { Fleet, type IndexMap } from './fleet.ts'
import { scanSource } from './scan-source.ts'
import type { FromWorker, ToWorker } from './scan-worker.ts'

/** Below it the start of threads costs more than they bring. */
const THREADS_FROM_BYTES = 4_000_000
const THREADS_MAX = 8

export interface ScanOptions extends ScanScope {
  /** Threads that read; as many as there are cores by default, and none for little. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ScanResult {
  readonly fleet: Fleet
  readonly counts: LogCounts
}

/** @throws MoultError for a log that cannot be read; a damaged one is counted */
export async function scanAll(sources: readonly LogSource[], options: ScanOptions = {}): Promise<ScanResult> {
  const { sinceMs, untilMs, format, signal } = options
  const result = { fleet: new Fleet(), counts: emptyCounts() }
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0)
  const wanted = options.threads ?? (bytes < THREADS_FROM_BYTES ? 0 : availableParallelism())
  const threads = Math.min(wanted, sources.length, THREADS_MAX)
  // The largest first, so that no thread is left alone with one at the end.
  const queue = [...sources].sort((a, b) => b.bytes - a.bytes)
  if (threads === 0 || (threads === 1 && options.threads === undefined))
    await scanHere(queue, { sinceMs, untilMs, format }, result, signal)
  else await scanInThreads(queue, { sinceMs, untilMs, format }, result, threads, signal)
  return result
}

async function scanHere(
  queue: readonly LogSource[],
  scope: ScanScope,
  { fleet, counts }: ScanResult,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = new BatchWriter()
  const map: IndexMap = { tails: [], texts: [] }
  // The arrays are used again at once.
  const deliver = (): Promise<void> => {
    signal?.throwIfAborted()
    fleet.fold(rows.take(), map)
    return Promise.resolve()
  }
  for (const source of queue) addCounts(counts, await scanSource(source, scope, rows, deliver))
}

async function scanInThreads(
  queue: LogSource[],
  scope: ScanScope,
  result: ScanResult,
  threads: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const workers = Array.from({ length: threads }, startWorker)
  const stop = new AbortController()
  try {
    const all = Promise.all(workers.map((worker) => feedWorker(worker, queue, scope, result)))
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { signal: stop.signal })
    })
    // Whoever loses the race has nothing more to say: threads that are stopped count as having ended early.
    all.catch(() => undefined)
    aborted.catch(() => undefined)
    signal?.throwIfAborted()
    await Promise.race([all, aborted])
  } finally {
    stop.abort()
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Gives it one log after the other until there are no more. */
async function feedWorker(worker: Worker, queue: LogSource[], scope: ScanScope, result: ScanResult): Promise<void> {
  const map: IndexMap = { tails: [], texts: [] }
  await new Promise<void>((resolve, reject) => {
    const next = (): void => {
      const source = queue.shift()
      if (source === undefined) resolve()
      else send(worker, { kind: 'scan', source, scope })
    }
    worker.on('error', reject)
    worker.on('exit', () => reject(new MoultError('ERR_BUG', 'a thread that reads logs has ended early')))
    worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'batch': {
          const { batch } = message
          result.fleet.fold(batch, map)
          const arrays = { polls: batch.polls, events: batch.events }
          send(worker, { kind: 'empty', arrays }, [arrays.polls.buffer, arrays.events.buffer])
          break
        }
        case 'done':
          addCounts(result.counts, message.counts)
          next()
          break
        case 'failed':
          reject(revive(message))
          break
      }
    })
    next()
  })
}

function send(worker: Worker, message: ToWorker, transfer: ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer)
}

/** Errors lose their class between threads. */
function revive({ code, message, hint }: FromWorker & { kind: 'failed' }): MoultError {
  const known = code in ERROR_CODES ? (code as ErrorCode) : 'ERR_BUG'
  return new MoultError(known, message, hint === undefined ? {} : { hint })
}

function startWorker(): Worker {
  const isSource = import.meta.url.endsWith('.ts')
  const url = new URL(isSource ? './scan-worker.ts' : './scan-worker.js', import.meta.url)
  // What the process was started with is not for its threads: with `--input-type` none would start.
  if (!isSource) return new Worker(url, { execArgv: [] })
  // Run from its sources, a thread has to be taught TypeScript first: it does not learn it from the one that starts it.
  const loader = import.meta.resolve('tsx/esm/api')
  const start = `import('${loader}').then((tsx) => (tsx.register(), import('${url.href}')))`
  return new Worker(start, { eval: true, execArgv: [] })
}
