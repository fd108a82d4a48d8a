// The long run of the fuzzer:
//
//   npx tsx scripts/fuzz-manifests.ts --mutants 1000000 --seed 1 [--workers 2] [--json]
//   npx tsx scripts/fuzz-manifests.ts --seed 1 --only 4711      # one mutant again, printed
//
// Each mutant is made from the seed and its number, and goes through verifyManifest. A worker has a bounded heap, so a
// mutant that takes much memory ends the run, and so does one that takes more than a minute.

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

import { judgeMutant, makeMutant } from '../test/fuzz/fuzz-manifests.ts'

const HEAP_MB = 64
const HANG_MS = 60_000
const REPORT_EVERY = 500
/** On Node 20 a worker does not inherit the loader of its parent. */
const WORKER_START = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(import.meta.url)})))`

interface Task {
  readonly seed: number
  readonly first: number
  readonly step: number
  readonly mutants: number
  /** The number of the mutant that each worker is at, for the moment when one answers no more. */
  readonly progress: Int32Array
  readonly slot: number
}

interface Report {
  readonly done: number
  readonly counts: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

if (isMainThread) await main()
else work(workerData as Task)

function work({ seed, first, step, mutants, progress, slot }: Task): void {
  let counts: Record<string, number> = {}
  let violations: string[] = []
  let done = 0
  const report = (): void => {
    parentPort?.postMessage({ done, counts, violations } satisfies Report)
    counts = {}
    violations = []
    done = 0
  }
  for (let index = first; index < mutants; index += step) {
    progress[slot] = index
    const { kind, violation } = judgeMutant(makeMutant(seed, index))
    counts[kind] = (counts[kind] ?? 0) + 1
    if (violation !== undefined) violations.push(`mutant ${index}: ${violation}`)
    done += 1
    if (done === REPORT_EVERY) report()
  }
  report()
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mutants: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Date.now() >>> 0) },
      workers: { type: 'string', default: String(availableParallelism()) },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const seed = Number(values.seed)
  if (values.only !== undefined) return showOne(seed, Number(values.only))
  const mutants = Number(values.mutants)
  const workers = Number(values.workers)
  if (![seed, mutants, workers].every(Number.isSafeInteger)) throw new TypeError('numbers are expected')

  const startedAt = performance.now()
  const seconds = (): number => Math.round((performance.now() - startedAt) / 1000)
  const counts = new Map<string, number>()
  const violations: string[] = []
  let done = 0
  let shownAt = 0
  const take = (report: Report): void => {
    done += report.done
    for (const [kind, count] of Object.entries(report.counts)) counts.set(kind, (counts.get(kind) ?? 0) + count)
    for (const violation of report.violations) console.error(violation)
    violations.push(...report.violations)
    if (values.json || seconds() < shownAt + 60) return
    shownAt = seconds()
    console.log(`${done} of ${mutants} mutants in ${shownAt} s, ${violations.length} violations`)
  }
  if (!values.json) console.log(`seed ${seed}, ${mutants} mutants, ${workers} workers`)
  await Promise.all(
    Array.from({ length: workers }, (_, slot) => runWorker({ seed, first: slot, step: workers, mutants, slot }, take)),
  )

  const sorted = [...counts].toSorted(([, a], [, b]) => b - a)
  if (values.json) {
    console.log(
      JSON.stringify({ seed, mutants: done, seconds: seconds(), counts: Object.fromEntries(sorted), violations }),
    )
  } else {
    for (const [kind, count] of sorted) console.log(`${String(count).padStart(9)}  ${kind}`)
    console.log(`${done} mutants in ${seconds()} s: ${violations.length} violations`)
  }
  if (violations.length > 0 || done !== mutants) process.exitCode = 1
}

function runWorker(task: Omit<Task, 'progress'>, take: (report: Report) => void): Promise<void> {
  const progress = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * (task.slot + 1)))
  const repeat = (): string => `--seed ${task.seed} --only ${progress[task.slot] ?? 0}`
  return new Promise((settle, reject) => {
    const worker = new Worker(WORKER_START, {
      eval: true,
      workerData: { ...task, progress } satisfies Task,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: HEAP_MB / 4 },
    })
    let before = -1
    const watch = setInterval(() => {
      const at = progress[task.slot] ?? 0
      if (at === before) reject(new Error(`a mutant hangs: ${repeat()}`))
      before = at
    }, HANG_MS)
    worker.on('message', take)
    worker.on('error', (cause) => reject(new Error(`a worker died: ${repeat()}`, { cause })))
    worker.on('exit', () => {
      clearInterval(watch)
      settle()
    })
  })
}

function showOne(seed: number, index: number): void {
  const mutant = makeMutant(seed, index)
  console.log(`sample: ${mutant.sample.name}`)
  console.log(Buffer.from(mutant.bytes).toString('latin1'))
  console.log(judgeMutant(mutant))
}
