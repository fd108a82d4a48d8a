// What looking for an update costs where there is none: bytes on the wire, processor time and memory of the process that asks.
// Moult's updater inside an agent and as a supervisor, beside electron-updater and oclif's update plugin, against one server.
//
//   npx tsx bench/poll.ts [--short] [--rounds 3] [--out FOLDER]
//
// Every process asks once a second; the start and the first answers are left out. Linux only.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startServer } from '../local-server/index.ts'
import { type ByteMeter, startMeter } from './lab/byte-meter.ts'
import { endProcess, startProcess, until } from './lab/children.ts'
import { type Bench, type Cell, runFigure, type Table } from './lab/figure.ts'
import { hasPeers, peerVersion } from './lab/peers.ts'
import { INTERVAL_MS, layOutProject, openPollers, type Poller } from './lab/pollers.ts'
import { type CommandCost, cpuMsOf, measureCommand, memoryOf } from './lab/process-cost.ts'
import { NOT_INSTALLED } from './lab/programs.ts'
import { spreadOf } from './lab/spread.ts'

/** A start is not a poll. */
const WARM_REQUESTS = 3

interface Cost {
  readonly up: number
  readonly down: number
  readonly cpuMs: number
  readonly rssMb: number
  readonly anonymousMb: number
}

await runFigure('poll', async (bench) => {
  const seconds = bench.isShort ? 2 : 30
  const rounds = bench.isShort ? 1 : Math.min(bench.rounds, 3)
  const project = await layOutProject(bench)
  const server = await startServer({ dir: join(project, 'updates'), port: 0 })
  bench.defer(() => server.close())
  const meter = await startMeter(server.port)
  bench.defer(() => meter.close())

  const pollers = await openPollers(bench, project, meter.url)
  const costs = new Map<string, Cost[]>()
  for (let round = 0; round < rounds; round++) {
    for (const { name, command, polls } of pollers) {
      if (command === undefined) continue
      console.error(name)
      costs.set(name, [...(costs.get(name) ?? []), await costOf(bench, command, polls, meter, seconds)])
    }
  }
  const once = await onceTable(pollers, bench.isShort ? 1 : bench.rounds)
  return { tables: [tableOf(pollers, costs), once], notes: notesOf(bench, seconds) }
})

async function costOf(
  bench: Bench,
  [command = '', ...args]: readonly string[],
  polls: boolean,
  meter: ByteMeter,
  seconds: number,
): Promise<Cost> {
  meter.reset()
  const env = { DEPLOYMENT_MODE: 'vm', HOME: bench.folder }
  const running = startProcess(bench, command, args, { env })
  const { child, pid } = running
  child.stdout?.resume()
  const hasBegun = async (): Promise<true | undefined> => {
    if (child.exitCode !== null) throw new Error(`${command} has ended: ${running.said()}`)
    return meter.read().requests >= WARM_REQUESTS ? true : undefined
  }
  if (polls) await until('the first polls', hasBegun)
  // Between two polls.
  await sleep(INTERVAL_MS / 3)
  meter.reset()
  const before = cpuMsOf(pid)
  await sleep(seconds * 1000)
  const cpuMs = cpuMsOf(pid) - before
  const { up, down, requests } = meter.read()
  const { rssMb, anonymousMb } = memoryOf(pid)
  await endProcess(running)
  const asked = polls ? requests : 1
  if (rssMb === 0 || asked === 0) throw new Error(`${command} did not last, or did not ask`)
  return { up: up / asked, down: down / asked, cpuMs: cpuMs / asked, rssMb, anonymousMb }
}

/** For cron jobs and people: nothing stays resident between two looks. */
async function onceTable(pollers: readonly Poller[], rounds: number): Promise<Table> {
  const commands = pollers.flatMap(({ once }) => (once === undefined ? [] : [once]))
  const costs = new Map<string, CommandCost[]>()
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of commands) {
      const cost = await measureCommand(command[0] ?? '', command.slice(1), { env: { DEPLOYMENT_MODE: 'vm' } })
      costs.set(name, [...(costs.get(name) ?? []), cost])
    }
  }
  const rows = commands.map(({ name }): Record<string, Cell> => {
    const spread = (of: (cost: CommandCost) => number): Cell => spreadOf((costs.get(name) ?? []).map(of))
    return {
      process: name,
      cpu: spread(({ cpuS }) => cpuS * 1000),
      wall: spread(({ wallS }) => wallS * 1000),
      peak: spread(({ peakMb }) => peakMb),
    }
  })
  const columns = [
    { key: 'process', head: 'command' },
    { key: 'cpu', head: 'processor ms' },
    { key: 'wall', head: 'ms' },
    { key: 'peak', head: 'MB at most' },
  ]
  return { title: 'The same as a command that starts, looks once and ends', columns, rows }
}

function tableOf(pollers: readonly Poller[], costs: ReadonlyMap<string, readonly Cost[]>): Table {
  const bare = costs.get(pollers[0]?.name ?? '') ?? []
  const own = costs.get(pollers[1]?.name ?? '') ?? []
  const rows = pollers.map(({ name, polls }): Record<string, Cell> => {
    const all = costs.get(name)
    const spread = (of: (cost: Cost, round: number) => number): Cell =>
      all === undefined ? NOT_INSTALLED : spreadOf(all.map(of))
    const ofPolls = (of: (cost: Cost, round: number) => number): Cell => (polls ? spread(of) : '-')
    const onWire = ({ up, down }: Cost): number => up + down
    return {
      process: name,
      up: ofPolls(({ up }) => up),
      down: ofPolls(({ down }) => down),
      wireRatio: ofPolls((cost, round) => onWire(cost) / onWire(own[round] ?? cost)),
      cpu: ofPolls(({ cpuMs }) => cpuMs),
      cpuRatio: ofPolls(({ cpuMs }, round) => cpuMs / (own[round]?.cpuMs ?? Number.NaN)),
      rss: spread(({ rssMb }) => rssMb),
      above: ofPolls(({ rssMb }, round) => rssMb - (bare[round]?.rssMb ?? Number.NaN)),
      anonymous: spread(({ anonymousMb }) => anonymousMb),
    }
  })
  const columns = [
    { key: 'process', head: 'process' },
    { key: 'up', head: 'bytes up' },
    { key: 'down', head: 'bytes down' },
    { key: 'wireRatio', head: "of Moult's", digits: 2 },
    { key: 'cpu', head: 'processor ms', digits: 1 },
    { key: 'cpuRatio', head: "of Moult's", digits: 2 },
    { key: 'rss', head: 'resident MB', digits: 1 },
    { key: 'above', head: 'above the bare process', digits: 1 },
    { key: 'anonymous', head: 'its own MB', digits: 1 },
  ]
  return { title: 'One poll that finds nothing new, and the process that polls', columns, rows }
}

function notesOf(bench: Bench, seconds: number): string[] {
  const notes = [`Plain HTTP, one poll a second, ${seconds} s each.`]
  if (hasPeers(bench)) {
    const names = ['electron-updater', '@oclif/plugin-update', '@oclif/core'].map(peerVersion).join(', ')
    notes.push(`${names}; the newest that run on this Node.`)
  }
  notes.push(
    'electron-updater runs in plain Node: its constructor takes an adapter in the place of Electron, and the requests are made by electron-builder on node:http. Inside Electron, Chromium makes them, in a larger process.',
    "oclif's plugin is called in one process again and again; the command of a user starts a Node each time. Its look at a package registry is switched off, and it never asks whether the file has changed.",
    "Only Moult's polls are answered by 304, tell the fleet report who asks, and are verified against signed roots.",
  )
  return notes
}
