// From published to running: the time from the moment an agent asks after a new manifest lies there, until the new version
// answers HTTP. The example agent, updated by the whole file, by the compressed one and by a delta.
//
//   npx tsx bench/publish-to-running.ts [--short] [--rounds 5] [--out FOLDER]
//
// The agent polls every second; the wait for its next poll is not counted. `launch` stays and starts the next version itself.

import { cpSync, mkdirSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { platformOf } from '../manifests/index.ts'
import { type Answer, fetchedArtifact, serveSite } from './lab/answers.ts'
import { freePort, startProcess, until } from './lab/children.ts'
import { type Bench, type Cell, REPOSITORY, runFigure, type Table } from './lab/figure.ts'
import { changeConfig, initProject, moult } from './lab/project.ts'
import { spreadOf } from './lab/spread.ts'

const TRY_MS = 3

interface Way {
  readonly name: string
  /** Of moult.config.json. */
  readonly config: Readonly<Record<string, unknown>>
  /** Of what is fetched, so that no other way is taken for it. */
  readonly url: RegExp
}

const WAYS: readonly Way[] = [
  { name: 'whole', config: { compress: false, deltas: false }, url: /-amd64$|-arm64$/ },
  { name: 'compressed', config: { compress: true, deltas: false }, url: /\.(?:br|zst)$/ },
  { name: 'delta', config: { compress: false }, url: /\.from-/ },
]

interface Shape {
  readonly type: 'script' | 'node'
  readonly title: string
  readonly roundsMax: number
}

interface Update {
  readonly bytes: number
  readonly fetchedMs: number
  readonly servingMs: number
}

/** The example agent in two shapes; the short form takes the small one. */
const SHAPES: readonly Shape[] = [
  { type: 'script', title: 'The example agent, as a bundled script', roundsMax: 10 },
  { type: 'node', title: 'The example agent, as an executable with Node inside', roundsMax: 3 },
]

await runFigure('publish-to-running', async (bench) => {
  const tables: Table[] = []
  for (const shape of bench.isShort ? SHAPES.slice(0, 1) : SHAPES) tables.push(await tableOf(bench, shape))
  return {
    tables,
    notes: [
      'Fetched from a server on the same machine, so that the network costs nothing: what a delta saves on a real one comes on top.',
      'The two versions differ in their version string alone, so that the delta is as small as one can be: what is measured is time.',
      'In it: verification, the download, its check, the test run of the new version (`--version`), the swap, the end of the old process, the start of the new one.',
    ],
  }
})

async function tableOf(bench: Bench, shape: Shape): Promise<Table> {
  const rows: Record<string, Cell>[] = []
  let whole: readonly number[] = []
  for (const way of WAYS) {
    const updates = await updateRepeatedly(bench, shape, way)
    const times = updates.map(({ servingMs }) => servingMs)
    if (way.name === 'whole') whole = times
    rows.push({
      way: way.name,
      bytes: spreadOf(updates.map(({ bytes }) => bytes)),
      fetched: spreadOf(updates.map(({ fetchedMs }) => fetchedMs)),
      serving: spreadOf(times),
      ratio: spreadOf(times.map((ms, round) => ms / (whole[round] ?? Number.NaN))),
    })
  }
  const columns = [
    { key: 'way', head: 'what is fetched' },
    { key: 'bytes', head: 'bytes of it' },
    { key: 'fetched', head: 'ms until it is there' },
    { key: 'serving', head: 'ms until the new version serves' },
    { key: 'ratio', head: 'of the whole', digits: 2 },
  ]
  return { title: shape.title, columns, rows }
}

async function updateRepeatedly(bench: Bench, shape: Shape, way: Way): Promise<Update[]> {
  const project = await layOutProject(bench, shape, way)
  await moult(project, 'release', '1.0.0')
  // The first version is installed whole, whatever the way.
  changeConfig(project, way.config)
  const live = join(bench.folder, `live ${shape.type} ${way.name}`)
  putLive(project, live)
  const { url, answers } = await serveSite(bench, live)
  const home = join(bench.folder, `home ${shape.type} ${way.name}`)
  const place = ['--server', url, '--root', 'trust/1.root.json', '--interval', '1s', '--probation', '0s']
  await moult(project, 'agent', 'install', '--home', home, ...place)
  const port = await freePort()
  const env = { HEARTBEAT_PORT: String(port), DEPLOYMENT_MODE: 'vm', MOULT_LAUNCH: 'stay' }
  const agent = startProcess(bench, join(home, 'launch'), [], { env })
  agent.child.stdout?.resume()
  await untilServing(port, '1.0.0', agent.said)

  const updates: Update[] = []
  for (let round = 1; round <= Math.min(bench.rounds, shape.roundsMax); round++) {
    const version = `1.0.${round}`
    await moult(project, 'release', version)
    answers.length = 0
    putLive(project, live)
    const servingAtMs = await untilServing(port, version, agent.said)
    updates.push(readUpdate(way, answers, servingAtMs))
    console.error(`${way.name} ${version}: ${updates.at(-1)?.servingMs.toFixed(0)} ms`)
  }
  process.kill(-agent.pid, 'SIGKILL')
  return updates
}

/** The example agent in a folder of its own, and Moult as its dependency. */
async function layOutProject(bench: Bench, { type }: Shape, { name }: Way): Promise<string> {
  const folder = `project ${type} ${name}`
  const project = join(bench.folder, folder)
  mkdirSync(join(project, 'node_modules'), { recursive: true })
  symlinkSync(REPOSITORY, join(project, 'node_modules', 'moult'), 'dir')
  for (const file of ['agent.ts', 'outbox.ts']) {
    cpSync(join(REPOSITORY, 'examples', 'heartbeat-agent', file), join(project, file))
  }
  const platforms = [platformOf(process.platform, process.arch)]
  return initProject(bench, folder, { type, agent: 'agent.ts' }, { platforms, compress: false })
}

/** What is served is a copy, so that a release that still reads back what it has published is not measured, too. */
function putLive(project: string, live: string): void {
  const published = join(project, 'updates')
  const manifest = join(published, 'version.json')
  cpSync(published, live, { recursive: true, force: false, filter: (path) => path !== manifest })
  cpSync(manifest, join(live, '.version.json'))
  renameSync(join(live, '.version.json'), join(live, 'version.json'))
}

/** @returns when the version first answered, on the clock of `performance` */
async function untilServing(port: number, version: string, said: () => string): Promise<number> {
  const ask = async (): Promise<number | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    const health = (await answer?.json().catch(() => undefined)) as { version?: string } | undefined
    return health?.version === version ? performance.now() : undefined
  }
  return until(`version ${version}`, ask, TRY_MS).catch((cause: unknown) => {
    throw new Error(`the agent said: ${said()}`, { cause })
  })
}

function readUpdate({ url }: Way, answers: readonly Answer[], servingAtMs: number): Update {
  const manifest = answers.find((answer) => answer.url === 'version.json' && answer.status === 200)
  if (manifest === undefined) throw new Error('no manifest was fetched')
  const file = fetchedArtifact(answers, url)
  return {
    bytes: file.bytes,
    fetchedMs: file.atMs - manifest.atMs,
    servingMs: servingAtMs - manifest.atMs,
  }
}
