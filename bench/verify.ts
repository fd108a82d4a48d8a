// What it costs an agent to verify one manifest: ten roots (the pinned one and a chain of nine) and twenty platforms.
//
//   npx tsx bench/verify.ts [--runs 50] [--json]
//
// Processor time, since the machine may be busy: the first verification of a fresh process, and the median of many. The
// memory is what the process has grown by: the resident part, whose peak it is, and the heap after a collection.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { type JsonObject, NO_FLOOR, readRoot, sha256, type Trust, verifyManifest } from '../manifests/index.ts'
import {
  makeKey,
  makeManifest,
  makeRoot,
  makeRootChain,
  NOW_MS,
  type TestKeys,
} from '../test/fixtures/signed-manifest.ts'

const ROOTS = 10
const PLATFORMS = 20
const CPU_MAX_MS = 100
const MEMORY_MAX_MB = 5
const MB = 1024 * 1024

/** Who holds the root key, which is what the cost depends on: a key that stays is checked once a step. */
const CASES = {
  'the root key stays': () => makeKey('root'),
  'another root key in every root': (version: number) => makeKey(`root ${version}`),
} as const
type Case = keyof typeof CASES

interface Measured {
  readonly bytes: number
  readonly firstMs: number
  readonly medianMs: number
  readonly rssMb: number
  readonly heapMb: number
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    child: { type: 'boolean', default: false },
  },
})
if (values.child) console.log(JSON.stringify(measure(readFileSync(0, 'utf8'), Number(values.runs))))
else report()

function report(): void {
  const cases = (Object.keys(CASES) as Case[]).map((name) => ({ name, ...measureInFreshProcess(name) }))
  const isWithin = cases.every(
    ({ firstMs, medianMs, rssMb, heapMb }) =>
      Math.max(firstMs, medianMs) < CPU_MAX_MS && Math.max(rssMb, heapMb) < MEMORY_MAX_MB,
  )
  const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown' }
  if (values.json) console.log(JSON.stringify({ ...machine, roots: ROOTS, platforms: PLATFORMS, cases, isWithin }))
  else {
    const heads = ['first ms', 'median ms', 'RSS MB', 'heap MB', 'bytes'].map((head) => head.padStart(10)).join('')
    console.log(`Node ${machine.node}, ${machine.cpu}: ${ROOTS} roots, ${PLATFORMS} platforms\n`)
    console.log(`${''.padEnd(32)}${heads}`)
    for (const { name, firstMs, medianMs, rssMb, heapMb, bytes } of cases) {
      const cells = [...[firstMs, medianMs, rssMb, heapMb].map((value) => value.toFixed(1)), String(bytes)]
      console.log(`${name.padEnd(32)}${cells.map((cell) => cell.padStart(10)).join('')}`)
    }
    console.log(`\n${isWithin ? 'within' : 'BEYOND'} ${CPU_MAX_MS} ms of processor time and ${MEMORY_MAX_MB} MB`)
  }
  if (!isWithin) process.exitCode = 1
}

function measureInFreshProcess(name: Case): Measured {
  const script = fileURLToPath(import.meta.url)
  const args = ['--expose-gc', '--import', 'tsx', script, '--child', '--runs', values.runs]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', input: makeInput(name) })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Measured
}

/** Made in the parent, since signing would warm up what is measured. */
function makeInput(name: Case): string {
  const keysOf = (version: number): TestKeys => ({
    root: [CASES[name](version)],
    release: [makeKey(`release ${version}`)],
    rollout: [makeKey(`rollout ${version}`)],
  })
  const binary = (index: number): JsonObject => {
    const url = `bin/1.4.2/heartbeat-agent-os${index}-amd64`
    const hash = sha256(new TextEncoder().encode(url))
    return {
      url,
      sha256: hash,
      size: 18_500_000,
      downloads: [{ url: `${url}.br`, size: 6_100_000, sha256: hash, encoding: 'br' }],
    }
  }
  const pinned = makeRoot({ keys: keysOf(1) })
  const { bytes } = makeManifest({
    keys: keysOf(ROOTS),
    pinned,
    chain: makeRootChain(ROOTS, (version) => ({ keys: keysOf(version) })),
    release: {
      binaries: Object.fromEntries(
        Array.from({ length: PLATFORMS }, (_, index) => [`os${index}-amd64`, binary(index)]),
      ),
    },
  })
  return JSON.stringify({ manifest: new TextDecoder().decode(bytes), pinned })
}

function measure(input: string, runs: number): Measured {
  const { manifest, pinned } = JSON.parse(input) as { manifest: string; pinned: JsonObject }
  const bytes = new TextEncoder().encode(manifest)
  const trust: Trust = { root: readRoot(pinned), channel: 'stable', floor: NO_FLOOR }
  globalThis.gc?.()
  const before = process.memoryUsage()
  const firstMs = verifyOnce(bytes, trust)
  const rssMb = (process.memoryUsage().rss - before.rss) / MB
  const times = Array.from({ length: runs }, () => verifyOnce(bytes, trust)).toSorted((a, b) => a - b)
  globalThis.gc?.()
  const heapMb = (process.memoryUsage().heapUsed - before.heapUsed) / MB
  return { bytes: bytes.length, firstMs, medianMs: times[runs >> 1] ?? Number.NaN, rssMb, heapMb }
}

function verifyOnce(bytes: Uint8Array, trust: Trust): number {
  const before = process.cpuUsage()
  const verdict = verifyManifest(bytes, trust, NOW_MS)
  const { user, system } = process.cpuUsage(before)
  if (verdict.kind === 'refused' || verdict.trust.root.version !== ROOTS) throw new Error('not accepted')
  return (user + system) / 1000
}
