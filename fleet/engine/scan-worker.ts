// A thread that unpacks and reads logs. What it found goes to the thread that folds, in arrays that come back empty:
// there are only so many of them, so a reader that is faster than the fold waits.

import { parentPort } from 'node:worker_threads'

import { toMoultError } from '../../manifests/errors.ts'
import { type Batch, BatchWriter } from '../scan/batch.ts'
import type { LogCounts } from '../scan/log-counts.ts'
import type { ScanScope } from '../scan/scanner.ts'
import type { LogSource } from '../sources/log-source.ts'
import { scanSource } from './scan-source.ts'

export type ToWorker =
  | { readonly kind: 'scan'; readonly source: LogSource; readonly scope: ScanScope }
  | { readonly kind: 'empty'; readonly arrays: Arrays }

export type FromWorker =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'done'; readonly counts: LogCounts }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly hint: string | undefined }

interface Arrays {
  readonly polls: Uint32Array<ArrayBuffer>
  readonly events: Uint32Array<ArrayBuffer>
}

/** On their way to the fold or back. */
const BATCHES_UNDER_WAY = 3

const port = parentPort
const rows = new BatchWriter()
const spare: Arrays[] = []
let underWay = 0
let onSpare: () => void = () => undefined

port?.on('message', (message: ToWorker) => {
  if (message.kind === 'scan') void scan(message.source, message.scope)
  else {
    underWay--
    spare.push(message.arrays)
    onSpare()
  }
})

async function scan(source: LogSource, scope: ScanScope): Promise<void> {
  try {
    const counts = await scanSource(source, scope, rows, deliver)
    post({ kind: 'done', counts })
  } catch (error) {
    const { code, message, hint } = toMoultError(error)
    post({ kind: 'failed', code, message, hint })
  }
}

async function deliver(): Promise<void> {
  while (underWay >= BATCHES_UNDER_WAY) {
    await new Promise<void>((resolve) => {
      onSpare = resolve
    })
  }
  const arrays = spare.pop()
  const batch = rows.take(arrays?.polls, arrays?.events)
  underWay++
  port?.postMessage({ kind: 'batch', batch } satisfies FromWorker, [batch.polls.buffer, batch.events.buffer])
}

function post(message: FromWorker): void {
  port?.postMessage(message)
}
