// Moult's local server beside nginx, sirv and http-server: a small manifest, the same when nothing has changed, and a file of
// 100 MB. Requests a second, and what each costs the server.
//
//   npx tsx bench/static-servers.ts [--short] [--rounds 3] [--out FOLDER]
//
// The load comes from one process on the same machine, so a quick server is held back by it: the processor time of a request
// is the better figure. Linux only.

import { randomFillSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { endProcess, freePort, type Running, startProcess, until } from './lab/children.ts'
import { type Bench, type Cell, runFigure, type Table } from './lab/figure.ts'
import { hasPeers, PEERS, peerVersion } from './lab/peers.ts'
import { plainScript } from './lab/plain-script.ts'
import { cpuMsOfTree, measureCommand, memoryOf, treeOf } from './lab/process-cost.ts'
import { findProgram, hasProgram, NOT_INSTALLED } from './lab/programs.ts'
import { MAIN } from './lab/project.ts'
import { spreadOf } from './lab/spread.ts'

const MANIFEST_BYTES = 3000
const MB = 1_000_000

interface Contender {
  readonly name: string
  /** Undefined where it is not installed. */
  readonly start?: (port: number) => Running
}

interface Load {
  readonly title: string
  readonly path: string
  readonly connections: number
  readonly isConditional: boolean
  /** What a second is full of. */
  readonly unit: 'requests' | 'MB'
}

interface Cost {
  readonly perSecond: number
  /** Of the server, for a request or for a megabyte. */
  readonly cpuUs: number
  readonly peakMb: number
}

await runFigure('static-servers', async (bench) => {
  const site = layOutSite(bench)
  const load = await plainScript('load-server', bench.folder)
  const contenders = await openContenders(bench, site)
  const rounds = bench.isShort ? 1 : Math.min(bench.rounds, 3)
  const sizeMb = bench.isShort ? 2 : 100
  const loads: Load[] = [
    { title: 'A manifest of 3 kB', path: 'version.json', connections: 16, isConditional: false, unit: 'requests' },
    { title: 'The same, unchanged: 304', path: 'version.json', connections: 16, isConditional: true, unit: 'requests' },
    { title: `A file of ${sizeMb} MB`, path: 'large', connections: 2, isConditional: false, unit: 'MB' },
  ]
  const tables: Table[] = []
  for (const one of loads) {
    const costs = new Map<string, Cost[]>()
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders) {
        if (contender.start === undefined) continue
        const cost = await costOf(bench, contender.start, one, load)
        console.error(`${one.title}: ${contender.name} ${cost.perSecond.toFixed(0)}`)
        costs.set(contender.name, [...(costs.get(contender.name) ?? []), cost])
      }
    }
    tables.push(tableOf(one, contenders, costs))
  }
  return { tables, notes: notesOf(bench) }
})

function layOutSite(bench: Bench): string {
  const site = join(bench.folder, 'site')
  mkdirSync(site)
  writeFileSync(join(site, 'version.json'), JSON.stringify({ padding: 'x'.repeat(MANIFEST_BYTES) }))
  writeFileSync(join(site, 'large'), randomFillSync(Buffer.alloc((bench.isShort ? 2 : 100) * MB)))
  return site
}

async function openContenders(bench: Bench, site: string): Promise<Contender[]> {
  const node = (...args: readonly string[]): Running => startProcess(bench, process.execPath, args)
  const contenders: Contender[] = [
    {
      name: '`moult serve --quiet`',
      start: (port) => node(MAIN, 'serve', site, '--port', String(port), '--quiet', '--json'),
    },
  ]
  const nginx = hasProgram('nginx', bench) ? findProgram('nginx') : undefined
  const config = join(bench.folder, 'nginx.conf')
  contenders.push({
    name: 'nginx',
    ...(nginx === undefined
      ? {}
      : {
          start: (port: number) => {
            writeFileSync(config, nginxConfig(bench.folder, site, port))
            return startProcess(bench, nginx, ['-p', bench.folder, '-c', config])
          },
        }),
  })
  if (!hasPeers(bench)) return [...contenders, { name: 'sirv' }, { name: 'http-server' }]
  const sirv = await plainScript('serve-sirv', bench.folder)
  const httpServer = join(PEERS, 'node_modules', 'http-server', 'bin', 'http-server')
  return [
    ...contenders,
    { name: 'sirv', start: (port) => node(sirv, PEERS, site, String(port)) },
    { name: 'http-server', start: (port) => node(httpServer, site, '-p', String(port), '-a', '127.0.0.1', '-s') },
  ]
}

/** As Debian has it (sendfile), with one worker, in the foreground, without a log as all here. */
function nginxConfig(folder: string, site: string, port: number): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path "${join(folder, `nginx-${name}`)}";`,
  )
  return `daemon off; worker_processes 1; pid "${join(folder, 'nginx.pid')}"; error_log "${join(folder, 'nginx.log')}";
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 512; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; ${places.join(' ')}
  server { listen 127.0.0.1:${port}; root "${site}"; } }
`
}

async function costOf(
  bench: Bench,
  start: (port: number) => Running,
  { path, connections, isConditional, unit }: Load,
  load: string,
): Promise<Cost> {
  const port = await freePort()
  const server = start(port)
  server.child.stdout?.resume()
  const url = `http://127.0.0.1:${port}/${path}`
  const first = await until(`an answer of ${url}`, async () => {
    if (server.child.exitCode !== null) throw new Error(`the server has ended: ${server.said()}`)
    return fetch(url, { headers: { connection: 'close' } }).catch(() => undefined)
  })
  await first.arrayBuffer()
  const etag = first.headers.get('etag')
  if (isConditional && etag === null) throw new Error('no ETag')
  const headers = isConditional ? [`If-None-Match: ${etag}`] : []
  const run = (seconds: number) =>
    measureCommand(process.execPath, [load, url, String(seconds), String(connections), ...headers])
  await run(bench.isShort ? 0.05 : 1)
  const before = cpuMsOfTree(server.pid)
  const { stdout } = await run(bench.isShort ? 0.2 : 5)
  const cpuMs = cpuMsOfTree(server.pid) - before
  const peakMb = treeOf(server.pid).reduce((sum, pid) => sum + memoryOf(pid).peakMb, 0)
  await endProcess(server)
  const said = JSON.parse(stdout) as { answers: number; bytes: number; ms: number; statuses: string[] }
  const expected = isConditional ? '304' : '200'
  if (said.statuses.join() !== expected) throw new Error(`answered by ${said.statuses.join()}, not ${expected}`)
  const amount = unit === 'MB' ? said.bytes / MB : said.answers
  return { perSecond: amount / (said.ms / 1000), cpuUs: (cpuMs * 1000) / amount, peakMb }
}

function tableOf({ title, unit }: Load, contenders: readonly Contender[], costs: ReadonlyMap<string, Cost[]>): Table {
  const own = costs.get(contenders[0]?.name ?? '') ?? []
  const rows = contenders.map(({ name }): Record<string, Cell> => {
    const all = costs.get(name)
    const spread = (of: (cost: Cost, round: number) => number): Cell =>
      all === undefined ? NOT_INSTALLED : spreadOf(all.map(of))
    return {
      server: name,
      perSecond: spread(({ perSecond }) => perSecond),
      cpu: spread(({ cpuUs }) => cpuUs),
      ratio: spread(({ cpuUs }, round) => cpuUs / (own[round]?.cpuUs ?? Number.NaN)),
      peak: spread(({ peakMb }) => peakMb),
    }
  })
  const what = unit === 'MB' ? 'MB' : 'request'
  const columns = [
    { key: 'server', head: 'server' },
    { key: 'perSecond', head: `${unit} a second` },
    { key: 'cpu', head: `processor µs a ${what}` },
    { key: 'ratio', head: "of Moult's", digits: 2 },
    { key: 'peak', head: 'MB of memory at most' },
  ]
  return { title, columns, rows }
}

function notesOf(bench: Bench): string[] {
  const peers = hasPeers(bench) ? ['sirv', 'http-server'].map(peerVersion).join(', ') : ''
  return [
    `${peers === '' ? '' : `${peers}. `}No server writes a log. nginx has one worker and \`sendfile\`.`,
    "Moult's local server is for development and small fleets: it hashes what it serves, so that its ETag is that of the content; the others make theirs of size and time.",
  ]
}
