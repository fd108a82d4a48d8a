// An agent that updates many times in a row, under one `moult agent run` that stays up: its disk, its file handles and
// its memory must end where they began.
//
//   npm run build && npx tsx scripts/soak-updates.ts [--updates 1000] [--json]
//
// Every update is a whole one: poll, verify, download, stage, swap, stop and start of the program, probation, confirm.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { installAgent } from '../agent/index.ts'
import { makeRoot } from '../test/fixtures/signed-manifest.ts'
import { SoakHost } from './soak-host.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Before that, lazily loaded code and the first kept versions still make everything grow. */
const WARM_UP_UPDATES = 15
const SAMPLES = 10
const UPDATE_MAX_MS = 60_000
/** What is bounded but still fills up, such as a log of a fixed size. */
const DISK_SLACK_BYTES = 512 * 1024
const HEAP_SLACK_BYTES = 3_000_000
const RSS_SLACK_BYTES = 25_000_000

interface Sample {
  readonly updates: number
  readonly files: number
  readonly diskBytes: number
  readonly handles: number
  readonly heapBytes: number
  readonly rssBytes: number
}

/** Runs inside the supervisor's process: collects the garbage and says what is left, on each SIGUSR2. */
const PROBE = `
process.on('SIGUSR2', () => {
  for (let turn = 0; turn < 4; turn += 1) globalThis.gc()
  const { heapUsed, rss } = process.memoryUsage()
  console.log(JSON.stringify({ kind: 'probe', heapBytes: heapUsed, rssBytes: rss }))
})
`

const { values } = parseArgs({
  options: { updates: { type: 'string', default: '1000' }, json: { type: 'boolean', default: false } },
})
const UPDATES = Number(values.updates)
assert.ok(UPDATES > WARM_UP_UPDATES, `--updates: expected more than ${WARM_UP_UPDATES}`)
const say = (line: string): void => (values.json ? console.error(line) : console.log(line))

const scratch = mkdtempSync(join(tmpdir(), 'moult soak '))
const host = new SoakHost(programOf)
let supervisor: ChildProcess | undefined
try {
  process.exitCode = await main()
} finally {
  await stopSupervisor()
  host.close()
  rmSync(scratch, { recursive: true, force: true })
}

async function main(): Promise<number> {
  const server = await host.listen()
  host.publishNext()
  const home = join(scratch, 'home')
  writeFileSync(join(scratch, 'root.json'), JSON.stringify(makeRoot()))
  const settings = { server, interval: '1s', probation: '50ms', keepDays: 0 }
  await installAgent(
    { home, root: join(scratch, 'root.json'), settings, env: {} },
    { clock: Date.now, emit: () => undefined },
  )

  const startedMs = performance.now()
  const lines = startSupervisor(home)
  const samples: Sample[] = []
  for (let updates = 1; updates <= UPDATES; updates += 1) {
    host.publishNext()
    await lines.next('confirmed', host.version)
    if (updates < WARM_UP_UPDATES) continue
    const isDue = (updates - WARM_UP_UPDATES) % Math.max(1, Math.round((UPDATES - WARM_UP_UPDATES) / SAMPLES)) === 0
    if (!isDue && updates !== UPDATES) continue
    samples.push(await measure(home, updates, lines))
    say(lineOf(samples.at(-1) as Sample))
  }
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample]
  const failures = failuresOf(first, last)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  const verdict = failures.length === 0 ? 'all of it ends where it began' : `grown: ${failures.join(', ')}`
  say(`${UPDATES} updates in ${seconds} s by one process: ${verdict}`)
  if (values.json) console.log(JSON.stringify({ updates: UPDATES, seconds, first, last, failures }))
  return failures.length === 0 ? 0 : 1
}

/** A program that is nothing but its version. */
function programOf(version: string): Buffer {
  return Buffer.from(`#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nexec sleep 1000000\n`)
}

interface Lines {
  /** Waits for an event; of a version, if one is named. */
  next(kind: string, version?: string): Promise<Record<string, unknown>>
}

/** From a copy of dist, as a build in the meantime would exchange the files of a process that loads some of them late. */
function startSupervisor(home: string): Lines {
  cpSync(join(ROOT, 'dist'), join(scratch, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(scratch, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(scratch, 'node_modules'))
  writeFileSync(join(scratch, 'probe.cjs'), PROBE)
  const nodeArgs = ['--expose-gc', '--require', join(scratch, 'probe.cjs')]
  const args = [...nodeArgs, join(scratch, 'dist/cli/main.js'), 'agent', 'run', '--home', home, '--json']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  supervisor = child
  const waiting = new Set<(event: Record<string, unknown>) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as Record<string, unknown>
    if (event['kind'] === 'check-failed') say(line)
    for (const take of waiting) take(event)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`moult agent run ended with ${code ?? signal}`)
  })
  ended.catch(() => undefined)
  return {
    async next(kind, version) {
      const limit = new AbortController()
      let take: (event: Record<string, unknown>) => void = () => undefined
      const found = new Promise<Record<string, unknown>>((resolve) => {
        take = (event) => {
          if (event['kind'] === kind && (version === undefined || event['version'] === version)) resolve(event)
        }
      })
      waiting.add(take)
      const late = sleep(UPDATE_MAX_MS, undefined, { signal: limit.signal }).then(() => {
        throw new Error(`no ${kind} of ${version} within ${UPDATE_MAX_MS / 1000} s`)
      })
      late.catch(() => undefined)
      try {
        return await Promise.race([found, late, ended])
      } finally {
        limit.abort()
        waiting.delete(take)
      }
    },
  }
}

/** With its program, which would outlive it otherwise. */
async function stopSupervisor(): Promise<void> {
  if (supervisor === undefined || supervisor.exitCode !== null || supervisor.signalCode !== null) return
  const ended = once(supervisor, 'exit')
  supervisor.kill('SIGTERM')
  await ended
}

async function measure(home: string, updates: number, lines: Lines): Promise<Sample> {
  const pid = supervisor?.pid ?? 0
  const answered = lines.next('probe')
  process.kill(pid, 'SIGUSR2')
  const { heapBytes, rssBytes } = (await answered) as unknown as Pick<Sample, 'heapBytes' | 'rssBytes'>
  const files = readdirSync(home, { recursive: true, encoding: 'utf8' })
  const sizes = files.map((name) => statSync(join(home, name), { throwIfNoEntry: false })?.size ?? 0)
  return {
    updates,
    files: files.length,
    diskBytes: sizes.reduce((sum, size) => sum + size, 0),
    handles: await handlesOf(pid),
    heapBytes,
    rssBytes,
  }
}

/** The fewest of some counts: a poll may be under way in any one of them. */
async function handlesOf(pid: number): Promise<number> {
  const counts: number[] = []
  for (let look = 0; look < 10; look += 1) {
    counts.push(readdirSync(`/proc/${pid}/fd`).length)
    await sleep(50)
  }
  return Math.min(...counts)
}

function failuresOf(first: Sample, last: Sample): string[] {
  return [
    ...(last.files > first.files ? [`files ${first.files} -> ${last.files}`] : []),
    ...(last.diskBytes > first.diskBytes + DISK_SLACK_BYTES ? [`disk ${first.diskBytes} -> ${last.diskBytes}`] : []),
    ...(last.handles > first.handles ? [`handles ${first.handles} -> ${last.handles}`] : []),
    ...(last.heapBytes > first.heapBytes + HEAP_SLACK_BYTES ? [`heap ${first.heapBytes} -> ${last.heapBytes}`] : []),
    ...(last.rssBytes > first.rssBytes + RSS_SLACK_BYTES ? [`memory ${first.rssBytes} -> ${last.rssBytes}`] : []),
  ]
}

function lineOf({ updates, files, diskBytes, handles, heapBytes, rssBytes }: Sample): string {
  const [heap, rss] = [heapBytes, rssBytes].map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
  const versions = readFileSync(join(scratch, 'home', 'current'), 'utf8').split('\n', 1)[0]
  return `after ${updates} (${versions}): ${files} files with ${diskBytes} bytes, ${handles} handles, heap ${heap}, memory ${rss}`
}
