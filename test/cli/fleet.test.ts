// `moult fleet` as a process, over logs of a server that agents polled.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { beaconIdOf } from '../../fleet/agent-names.ts'
import type { FleetFigures } from '../../fleet/fleet-figures.ts'
import { type Beacon, formatBeacon } from '../../manifests/beacon.ts'
import { manifestOf } from '../agent/field.ts'
import { until } from '../helpers/moult.ts'
import { temporaryFolder } from '../release/project-fixture.ts'
import { runMoult, startMoult } from './moult-process.ts'
import { HAS_TERMINAL, runAtTerminal } from './terminal.ts'

const NAME = 'heartbeat-agent'
const HOUR_MS = 3_600_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A poll as nginx writes it. */
function lineOf(agentId: string, atMs: number, beacon: Partial<Beacon> = {}): string {
  const time = new Date(atMs)
  const [day = '', month = 0, clock = ''] = [
    time.toISOString().slice(8, 10),
    time.getUTCMonth(),
    time.toISOString().slice(11, 19),
  ]
  const agent = formatBeacon({
    name: NAME,
    version: '1.4.2',
    platform: 'linux-amd64',
    channel: 'stable',
    id: beaconIdOf(NAME, agentId),
    state: 'confirmed',
    events: [],
    updater: '0.1.0',
    ...beacon,
  })
  const stamp = `${day}/${MONTHS[month]}/${time.getUTCFullYear()}:${clock} +0000`
  return `203.0.113.7 - - [${stamp}] "GET /version.json HTTP/1.1" 304 0 "-" "${agent}"\n`
}

/** Twenty agents for two days, all well. */
function calmLog(nowMs: number): string {
  const agents = Array.from({ length: 20 }, (_, index) => `agent-${index}`)
  const hours = Array.from({ length: 48 }, (_, index) => nowMs - (48 - index) * HOUR_MS + HOUR_MS / 2)
  return hours.flatMap((atMs) => agents.map((agent) => lineOf(agent, atMs))).join('')
}

/** A folder with a log whose newest line is half an hour old. */
async function logFolder(t: TestContext, more = ''): Promise<{ readonly dir: string; readonly log: string }> {
  const dir = await temporaryFolder(t)
  mkdirSync(join(dir, 'logs'))
  const log = join(dir, 'logs', 'access.log')
  writeFileSync(log, calmLog(Date.now()) + more)
  return { dir, log }
}

function rolledBack(): string {
  const event = { n: 1, kind: 'rolled-back', version: '1.5.0', detail: 'probe' } as const
  return lineOf('agent-3', Date.now() - HOUR_MS / 4, { state: 'rolled-back', events: [event] })
}

describe('moult fleet status', () => {
  test('shows the fleet as text, JSON and CSV', async (t) => {
    const { dir } = await logFolder(t)
    const text = await runMoult(['fleet', 'status', 'logs'], dir)
    assert.equal(text.code, 0, text.stderr)
    assert.match(text.stdout, /^heartbeat-agent: 20 active agents of 20, 1\.4\.2 is offered\n/)
    assert.doesNotMatch(text.stdout, /\u001b/)
    const json = await runMoult(['fleet', 'status', 'logs', '--json'], dir)
    const figures = JSON.parse(json.stdout) as FleetFigures
    assert.deepEqual([figures.agents.active, figures.lines.polls, figures.versions[0]?.key], [20, 960, '1.4.2'])
    const csv = await runMoult(['fleet', 'status', 'logs/*.log', '--csv', 'versions'], dir)
    assert.equal(csv.stdout, 'version,agents,share\r\n1.4.2,20,1\r\n')
  })

  test('counts between two times, by name, and as if another version were offered', async (t) => {
    const { dir } = await logFolder(t)
    const figuresWith = async (...args: string[]): Promise<FleetFigures> =>
      JSON.parse((await runMoult(['fleet', 'status', 'logs', '--json', ...args], dir)).stdout) as FleetFigures
    assert.equal((await figuresWith('--since', '10h')).lines.polls, 200)
    assert.equal(
      (await figuresWith('--since', '10h', '--until', new Date(Date.now() - 5 * HOUR_MS).toISOString())).lines.polls,
      100,
    )
    assert.equal((await figuresWith('--offered', '1.5.0', '--stuck-after', '24h')).agents.stuck, 20)
    assert.equal((await figuresWith('--offered', '1.5.0')).agents.stuck, 0)
    assert.equal((await figuresWith('--name', 'nobody')).agents.total, 0)
  })

  test('shows agents by the names of a list', async (t) => {
    const { dir } = await logFolder(t)
    writeFileSync(join(dir, 'fleet.txt'), 'agent-7 Basel, roof\n')
    const args = [
      'fleet',
      'status',
      'logs',
      '--offered',
      '1.5.0',
      '--stuck-after',
      '24h',
      '--csv',
      'agents',
      '--ids',
      'fleet.txt',
    ]
    const { stdout } = await runMoult(args, dir)
    assert.match(stdout, /\r\n"Basel, roof",stuck,1\.4\.2,/)
    assert.match(stdout, new RegExp(`\r\n${beaconIdOf(NAME, 'agent-8')},stuck,`))
    assert.equal((await runMoult([...args.slice(0, -1), 'absent.txt'], dir)).code, 2)
  })

  test('refuses what it does not understand', async (t) => {
    const { dir } = await logFolder(t)
    for (const args of [
      ['--since', 'soon'],
      ['--csv', 'all'],
      ['--stuck-after', '0s'],
      ['--max-failure-rate', '101'],
      ['--min-agents', '-1'],
    ]) {
      const { code, stderr } = await runMoult(['fleet', 'status', 'logs', ...args], dir)
      assert.deepEqual([code, stderr.includes(args[0] ?? '')], [2, true], stderr)
    }
    assert.equal((await runMoult(['fleet', 'status', 'absent'], dir)).code, 2)
    assert.equal((await runMoult(['fleet', 'status'], dir)).code, 2)
  })
})

test('the log of the local server is read as it comes', async (t) => {
  const dir = await temporaryFolder(t)
  mkdirSync(join(dir, 'updates'))
  writeFileSync(join(dir, 'updates', 'version.json'), '{}')
  const { child, ended } = startMoult(['serve', '--port', '0', '--json'], dir)
  t.after(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout ?? child, 'data')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  for (const [agent, version] of [
    ['a', '1.4.1'],
    ['b', '1.4.2'],
    ['b', '1.4.2'],
  ] as const) {
    const [, userAgent = ''] = /"([^"]*)"\n$/.exec(lineOf(agent, 0, { version })) ?? []
    await (await fetch(`${url}/version.json`, { headers: { 'user-agent': userAgent } })).text()
  }
  await (await fetch(`${url}/version.json`, { headers: { 'user-agent': 'curl/8.0' } })).text()
  child.kill('SIGTERM')
  const { stdout } = await ended
  writeFileSync(join(dir, 'serve.log'), stdout)
  const csv = await runMoult(['fleet', 'status', 'serve.log', '--csv', 'versions'], dir)
  assert.equal(csv.stdout, 'version,agents,share\r\n1.4.2,1,0.5\r\n1.4.1,1,0.5\r\n')
  const figures = JSON.parse((await runMoult(['fleet', 'status', 'serve.log', '--json'], dir)).stdout) as FleetFigures
  // The line that gives the URL is no request.
  assert.deepEqual([figures.lines.polls, figures.lines.others, figures.lines.malformed], [3, 1, 1])
})

test('the format of a log can be named, and wrong, which is counted', async (t) => {
  const { dir } = await logFolder(t)
  const countsOf = async (format: string): Promise<FleetFigures['lines']> => {
    const { stdout } = await runMoult(['fleet', 'status', 'logs', '--json', '--format', format], dir)
    return (JSON.parse(stdout) as FleetFigures).lines
  }
  assert.equal((await countsOf('combined')).polls, 960)
  assert.deepEqual([(await countsOf('caddy')).polls, (await countsOf('caddy')).malformed], [0, 960])
  assert.equal((await runMoult(['fleet', 'status', 'logs', '--format', 'iis'], dir)).code, 2)
})

test('an export writes Parquet, or names the package that it lacks', async (t) => {
  const { dir } = await logFolder(t)
  const packageName: string = '@duckdb/node-api'
  const hasPackage = await import(packageName).then(
    () => true,
    () => false,
  )
  const { code, stdout } = await runMoult(['fleet', 'export', 'logs', '--parquet', 'out', '--json'], dir)
  if (hasPackage) {
    assert.equal(code, 0)
    assert.deepEqual(
      [readdirSync(join(dir, 'out')), (JSON.parse(stdout) as { polls: number }).polls],
      [['part-00001.parquet'], 960],
    )
  } else {
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } }
    assert.deepEqual([code, error.code], [2, 'ERR_CONFIG_MISSING'])
    assert.match(JSON.stringify(error), /@duckdb\/node-api/)
  }
})

describe('at a terminal', { skip: !HAS_TERMINAL }, () => {
  test('the status has colours, unless somebody does not want them', async (t) => {
    const { dir } = await logFolder(t, rolledBack())
    const before = { TERM: process.env['TERM'], NO_COLOR: process.env['NO_COLOR'] }
    t.after(() => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    })
    Object.assign(process.env, { TERM: 'xterm', NO_COLOR: '' })
    const seen = (await runAtTerminal(['fleet', 'status', 'logs'], dir, [])).screen
    assert.match(seen, /^\u001b\[1mheartbeat-agent.*\u001b\[0m\r\n/)
    assert.match(seen, /\u001b\[31m! FLEET_ROLLBACK 1\.5\.0/)
    process.env['NO_COLOR'] = '1'
    const plain = (await runAtTerminal(['fleet', 'status', 'logs'], dir, [])).screen
    assert.match(plain, /^heartbeat-agent/)
    assert.doesNotMatch(plain, /\u001b/)
  })
})

describe('moult fleet report', () => {
  test('writes one file, replaces it whole, and knows the stages of a manifest', async (t) => {
    const { dir } = await logFolder(t)
    writeFileSync(join(dir, 'version.json'), manifestOf({ version: '1.4.2' }))
    writeFileSync(join(dir, 'fleet.html'), 'an older one')
    const { code, stdout, stderr } = await runMoult(['fleet', 'report', 'logs', '--manifest', 'version.json'], dir)
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^Wrote fleet\.html \(\d+\.\d kB\): 20 active agents, 0 alerts\n$/)
    const page = readFileSync(join(dir, 'fleet.html'), 'utf8')
    assert.match(page, /^<!doctype html>[^]*20 of 20 active agents run 1\.4\.2[^]*stands at 100 %[^]*<\/html>\s*$/)
    assert.deepEqual(readdirSync(dir).sort(), ['fleet.html', 'logs', 'version.json'])
    const piped = await runMoult(['fleet', 'report', 'logs', '--html', '-'], dir)
    assert.match(piped.stdout, /^<!doctype html>/)
    const nowhere = await runMoult(['fleet', 'report', 'logs', '--html', 'no/such/folder.html'], dir)
    assert.deepEqual([nowhere.code, /ERR_USAGE_INVALID/.test(nowhere.stderr)], [2, true])
    writeFileSync(join(dir, 'version.json'), '{"version":"1.4.2"}')
    const broken = await runMoult(['fleet', 'report', 'logs', '--manifest', 'version.json'], dir)
    assert.deepEqual([broken.code, /ERR_MANIFEST_SCHEMA/.test(broken.stderr)], [21, true])
  })
})

describe('moult fleet alerts', () => {
  test('ends with 0 where nothing is wrong, and with 29 where something is', async (t) => {
    const { dir, log } = await logFolder(t)
    const calm = await runMoult(['fleet', 'alerts', 'logs'], dir)
    assert.deepEqual([calm.code, calm.stdout], [0, 'no alerts: 20 active agents of 20\n'])
    appendFileSync(log, rolledBack())
    const { code, stdout } = await runMoult(['fleet', 'alerts', 'logs'], dir)
    assert.deepEqual([code, stdout], [29, 'FLEET_ROLLBACK 1.5.0 was rolled back by 1 agent\n'])
    const json = JSON.parse((await runMoult(['fleet', 'alerts', 'logs', '--json'], dir)).stdout) as {
      alerts: { code: string }[]
    }
    assert.deepEqual(
      json.alerts.map((alert) => alert.code),
      ['FLEET_ROLLBACK'],
    )
    const blind = await runMoult(['fleet', 'alerts', 'logs', '--since', '1s'], dir)
    assert.deepEqual([blind.code, blind.stdout.startsWith('FLEET_NO_DATA ')], [29, true])
  })

  test('tells the webhook once, and again what could not be delivered', async (t) => {
    const { dir, log } = await logFolder(t, rolledBack())
    const received: { readonly text: string; readonly secret: string | undefined }[] = []
    let answer = 500
    const server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (part: string) => (body += part))
      request.on('end', () => {
        received.push({ text: (JSON.parse(body) as { text: string }).text, secret: request.headers.authorization })
        response.writeHead(answer, { 'retry-after': '0' }).end()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
    const env = { MOULT_WEBHOOK: url, HOOK_HEADER: 'Authorization: Bearer s3cret' }
    const args = ['fleet', 'alerts', 'logs', '--state', 'sent.json', '--webhook-header-env', 'HOOK_HEADER']

    const failed = await runMoult(args, dir, env)
    assert.deepEqual([failed.code, received.length, existsSync(join(dir, 'sent.json'))], [20, 3, false])
    assert.match(failed.stdout, /^FLEET_ROLLBACK /, 'it is told here all the same')
    answer = 200
    const sent = await runMoult(args, dir, env)
    assert.deepEqual([sent.code, received.length], [29, 4], sent.stderr)
    assert.deepEqual(received[3], {
      text: 'heartbeat-agent: 1 alert\nFLEET_ROLLBACK: 1.5.0 was rolled back by 1 agent',
      secret: 'Bearer s3cret',
    })
    assert.equal((await runMoult(args, dir, env)).code, 29)
    assert.equal(received.length, 4, 'it was sent already')
    appendFileSync(log, lineOf('agent-4', Date.now() - HOUR_MS / 4, { state: 'failed', error: 'BYTES_HASH' }))
    await runMoult(args, dir, env)
    assert.deepEqual(
      [received.length, /^heartbeat-agent: 1 alert\nFLEET_HASH_MISMATCH/.test(received[4]?.text ?? '')],
      [5, true],
    )
    for (const { stdout, stderr } of [failed, sent]) assert.doesNotMatch(stdout + stderr, /s3cret|\/hook/)
    const unset = await runMoult(args, dir, { MOULT_WEBHOOK: url })
    assert.deepEqual([unset.code, /HOOK_HEADER is not set/.test(unset.stderr)], [2, true])
  })
})

describe('moult fleet watch', () => {
  test('reads again what has grown, lives through a log that is away, and ends well', async (t) => {
    const { dir, log } = await logFolder(t)
    const { child, ended } = startMoult(['fleet', 'watch', 'logs/access.log', '--every', '50ms'], dir)
    t.after(() => child.kill('SIGKILL'))
    let seen = ''
    child.stdout?.on('data', (text: string) => (seen += text))
    child.stderr?.on('data', (text: string) => (seen += text))
    const see = (what: RegExp): Promise<void> => until(String(what), () => what.test(seen))
    await see(/20 active agents of 20/)
    appendFileSync(log, lineOf('agent-new', Date.now() - HOUR_MS / 4))
    await see(/21 active agents of 21/)
    const text = readFileSync(log)
    renameSync(log, `${log}.1`)
    await see(/cannot read the logs now: /)
    writeFileSync(log, Buffer.concat([text, Buffer.from(lineOf('agent-newer', Date.now() - HOUR_MS / 4))]))
    await see(/22 active agents of 22/)
    child.kill('SIGINT')
    assert.equal((await ended).code, 0)
  })

  test('of a log that was never there is an error', async (t) => {
    const { dir } = await logFolder(t)
    assert.equal((await runMoult(['fleet', 'watch', 'absent.log'], dir)).code, 2)
  })
})
