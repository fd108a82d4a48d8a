// What a polling agent costs: memory and processor time, embedded (added to a bare Node process) and as a supervisor
// (whole), and the bytes on the wire of a poll that is answered with 304.
//
//   npm run bench:idle [-- --seconds 30] [--json]
//
// Linux only: the figures are read from /proc. Polls come every second instead of every 5 minutes, so processor time is
// given for one poll.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { execa } from 'execa'

import { startServer } from '../local-server/index.ts'
import { bundleScript } from '../release/build/bundle-script.ts'
import { startMeter } from './lab/byte-meter.ts'
import { cpuMsOf, memoryOf } from './lab/process-cost.ts'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const moult = join(repository, 'dist', 'cli', 'main.js')
const secondsAt = process.argv.indexOf('--seconds')
const SECONDS = secondsAt < 0 ? 30 : Number(process.argv[secondsAt + 1])
const POLLS_A_DAY = (24 * 60) / 5

const BARE = `if (process.argv.includes('--version')) console.log(__MOULT_VERSION__)
else setInterval(() => undefined, 60_000)
`
const EMBEDDED = `import { Updater } from ${JSON.stringify(join(repository, 'agent', 'index.ts'))}
if (process.argv.includes('--version')) console.log(__MOULT_VERSION__)
else {
  setInterval(() => undefined, 60_000)
  new Updater({ version: __MOULT_VERSION__, firstPollMs: 0 }).start()
}
`

interface Cost {
  /** Resident, and the part of it that is the process's own (not shared, not a file), in MB. */
  readonly rssMb: number
  readonly anonymousMb: number
  /** User and system time while idle, in milliseconds a second. */
  readonly cpuMsPerSecond: number
}

const workspace = mkdtempSync(join(tmpdir(), 'moult-bench-'))
const children: ChildProcess[] = []
try {
  await measure()
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(workspace, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  const project = join(workspace, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'bare.mjs'), BARE)
  writeFileSync(join(project, 'embedded.mjs'), EMBEDDED)
  await run(project, 'init', '--name', 'idle-agent', '--type', 'script', '--agent', 'embedded.mjs')
  await run(project, 'release', '1.0.0')
  const server = await startServer({ dir: join(project, 'updates'), port: 0 })
  const meter = await startMeter(server.port)

  const bare = join(workspace, 'bare')
  const bundle = await bundleScript({ entry: 'bare.mjs', version: '1.0.0', platform: 'linux-amd64', cwd: project })
  writeFileSync(bare, bundle, { mode: 0o755 })
  const home = await install(project, 'embedded', meter.url)
  const supervised = await install(project, 'supervised', meter.url, '--program', bare, '--program-version', '1.0.0')

  const bareCost = await costOf(spawn(bare))
  meter.reset()
  const embeddedCost = await costOf(spawn(join(home, 'launch')))
  const { up, down, requests: polls } = meter.read()
  const wire = { request: Math.round(up / polls), response: Math.round(down / polls), polls }
  const supervisorCost = await costOf(spawn(process.execPath, [moult, 'agent', 'run', '--home', supervised]))
  await server.close()
  meter.close()
  report(bareCost, embeddedCost, supervisorCost, wire)
}

async function run(cwd: string, ...args: string[]): Promise<void> {
  await execa(process.execPath, [moult, ...args], { cwd })
}

async function install(project: string, name: string, server: string, ...more: string[]): Promise<string> {
  const home = join(workspace, name)
  const settings = ['--server', server, '--root', 'trust/1.root.json', '--interval', '1s']
  await run(project, 'agent', 'install', '--home', home, ...settings, ...more)
  return home
}

async function costOf(child: ChildProcess): Promise<Cost> {
  children.push(child)
  child.stdout?.resume()
  child.stderr?.resume()
  const { pid } = child
  if (pid === undefined) throw new Error('a process did not start')
  // The start itself is not idleness.
  await sleep(5000)
  const before = cpuMsOf(pid)
  await sleep(SECONDS * 1000)
  const cpuMsPerSecond = (cpuMsOf(pid) - before) / SECONDS
  const { rssMb, anonymousMb } = memoryOf(pid)
  child.kill('SIGTERM')
  return { rssMb, anonymousMb, cpuMsPerSecond }
}

function report(
  bare: Cost,
  embedded: Cost,
  supervisor: Cost,
  wire: { request: number; response: number; polls: number },
): void {
  const pollCpuMs = embedded.cpuMsPerSecond - bare.cpuMsPerSecond
  const result = {
    node: process.version,
    cpu: cpus()[0]?.model,
    seconds: SECONDS,
    bare,
    embedded,
    supervisor,
    added: {
      rssMb: embedded.rssMb - bare.rssMb,
      anonymousMb: embedded.anonymousMb - bare.anonymousMb,
      cpuMsPerPoll: pollCpuMs,
    },
    poll304: wire,
  }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify(result))
    return
  }
  const row = (name: string, cost: Cost): string =>
    `${name.padEnd(34)} ${cost.rssMb.toFixed(1).padStart(8)} ${cost.anonymousMb.toFixed(1).padStart(12)} ${cost.cpuMsPerSecond.toFixed(2).padStart(14)}`
  console.log(`Node ${process.version}, ${result.cpu}, ${SECONDS} s each, one poll a second\n`)
  console.log(`${''.padEnd(34)} ${'RSS MB'.padStart(8)} ${'anonymous MB'.padStart(12)} ${'CPU ms/s'.padStart(14)}`)
  console.log(row('bare Node process', bare))
  console.log(row('with the embedded updater', embedded))
  console.log(row('supervisor (moult agent run)', supervisor))
  console.log(
    `\nadded by the embedded updater: ${result.added.rssMb.toFixed(1)} MB resident, ${pollCpuMs.toFixed(1)} ms of CPU a poll`,
  )
  console.log(`at one poll in 5 minutes that is ${((pollCpuMs * POLLS_A_DAY) / 1000).toFixed(1)} s of CPU a day`)
  console.log(
    `a poll answered with 304: ${wire.request} bytes up, ${wire.response} bytes down (${wire.polls} polls, plain HTTP)`,
  )
}
