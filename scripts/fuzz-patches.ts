// Applies mutated patches of small pairs of every kind: `npx tsx scripts/fuzz-patches.ts --count 1000000 [--seed n]`.
// None may hang, throw anything but a PatchError, write past the stated size or take memory without bound; a wrong
// result must be told from the right one by its sha256, which is how the agent tells.

import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { createPatch, PatchError } from '../delta/index.ts'
import {
  applyWhole,
  changePieces,
  makeTar,
  mutatePatch,
  randomFile,
  TARGETS,
  twoBuilds,
} from '../test/delta/patching.ts'
import { seededRandom, type Random } from '../test/delta/small-programs.ts'

const SLOW_MS = 2000
const REPORT_EVERY = 50_000
const MEMORY_MAX_BYTES = 600e6

type Pair = { name: string; old: Uint8Array; fresh: Uint8Array; patch: Uint8Array; sha256: string }
type Counts = { refused: number; wrong: number; same: number; slowestMs: number; peakBytes: number }

const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } })
const count = Number(values.count ?? 10_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const pairs = makePairs(random)
const counts: Counts = { refused: 0, wrong: 0, same: 0, slowestMs: 0, peakBytes: 0 }
const started = Date.now()
for (let round = 1; round <= count; round++) {
  applyMutation(pairs[round % pairs.length] as Pair)
  if (round % 1000 === 0) counts.peakBytes = Math.max(counts.peakBytes, process.memoryUsage.rss())
  if (counts.peakBytes > MEMORY_MAX_BYTES) throw new Error(`${counts.peakBytes} bytes of memory (seed ${seed})`)
  if (round % REPORT_EVERY === 0 || round === count) report(round)
}

function makePairs(random: Random): Pair[] {
  const plain = randomFile(random, 3000)
  const text = Buffer.from(Array.from({ length: 600 }, () => `word${random(90)}`).join(' '))
  const [oldElf, newElf] = twoBuilds(['elf', 'x86-64'], 20)
  const tars = [makeTar({ a: text, 'b/program': oldElf }), makeTar({ 'b/program': newElf, c: text })] as const
  const files: [string, Uint8Array, Uint8Array][] = [
    ['random', plain, changePieces(random, plain)],
    ['text', text, Buffer.from(text.toString().replaceAll('word7 ', 'another '))],
    ['tar', ...tars],
    ['empty', new Uint8Array(0), plain.slice(0, 200)],
    ...TARGETS.map((target): [string, Uint8Array, Uint8Array] => [target.join(' '), ...twoBuilds(target, 20)]),
  ]
  return files.map(([name, old, fresh]) => {
    return { name, old, fresh, patch: createPatch(old, fresh), sha256: digest(fresh) }
  })
}

function applyMutation({ name, old, fresh, patch, sha256 }: Pair): void {
  const hostile = mutatePatch(random, patch)
  const before = performance.now()
  try {
    const result = applyWhole(old, hostile, fresh.length)
    const right = Buffer.compare(result, fresh) === 0
    if (right !== (digest(result) === sha256)) throw new Error(`${name}: a result that its hash does not tell`)
    if (right) counts.same++
    else counts.wrong++
  } catch (error) {
    if (!(error instanceof PatchError))
      throw new Error(`${name} (seed ${seed}): ${Buffer.from(hostile).toString('hex')}`, { cause: error })
    counts.refused++
  }
  const ms = performance.now() - before
  counts.slowestMs = Math.max(counts.slowestMs, ms)
  if (ms > SLOW_MS)
    throw new Error(`${name} (seed ${seed}): ${Math.round(ms)} ms for ${Buffer.from(hostile).toString('hex')}`)
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function report(round: number): void {
  const { refused, wrong, same, slowestMs, peakBytes } = counts
  const seconds = Math.round((Date.now() - started) / 1000)
  console.log(
    `${round} mutated patches (seed ${seed}) in ${seconds} s: ${refused} refused, ${wrong} wrong by their hash, ` +
      `${same} right all the same; slowest ${Math.round(slowestMs)} ms, ${Math.round(peakBytes / 1e6)} MB at most`,
  )
}
