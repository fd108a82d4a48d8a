import { Worker } from 'node:worker_threads'

import { formatDuration } from '../../manifests/index.ts'
import type { PatchJob, PatchOutcome } from './delta-worker.ts'

/** Makes a patch in a thread, which has ended when this returns: by itself, by the limit, or by the signal. */
export async function runPatch(job: PatchJob, timeLimitMs: number, signal: AbortSignal): Promise<PatchOutcome> {
  signal.throwIfAborted()
  const worker = startWorker(job)
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    return await new Promise<PatchOutcome>((resolve, reject) => {
      const fail = (reason: string): void => resolve({ kind: 'failed', reason })
      worker.once('message', resolve)
      worker.once('error', (error: Error) => fail(error.message))
      worker.once('exit', () => fail('its thread has ended early'))
      timer = setTimeout(() => fail(`took longer than ${formatDuration(timeLimitMs)}`), timeLimitMs)
      onAbort = () => reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
    await worker.terminate()
  }
}

function startWorker(workerData: PatchJob): Worker {
  const isSource = import.meta.url.endsWith('.ts')
  const url = new URL(isSource ? './delta-worker.ts' : './delta-worker.js', import.meta.url)
  // What the process was started with is not for its threads: with `--input-type` none would start.
  if (!isSource) return new Worker(url, { execArgv: [], workerData })
  // Run from its sources, a thread has to be taught TypeScript first: it does not learn it from the one that starts it.
  const loader = import.meta.resolve('tsx/esm/api')
  const start = `import('${loader}').then((tsx) => (tsx.register(), import('${url.href}')))`
  return new Worker(start, { eval: true, execArgv: [], workerData })
}
