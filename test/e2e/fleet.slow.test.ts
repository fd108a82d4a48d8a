// The whole of it: a fleet of real agents at three hosts, their access logs, and a job that reads them. A release that
// fails on some machines is halted by itself, somebody is told, and the one after it goes to all by itself.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'

import type { FleetFigures } from '../../fleet/index.ts'
import { type JsonObject, platformOf, RELEASE_UNSIGNED, rolloutBucket, statementDigest } from '../../manifests/index.ts'
import { makeDir } from '../agent/field.ts'
import { freePort, jsonOf, MAIN, readJson, Scene, until } from '../helpers/moult.ts'
import { configOf, noNginx, startNginx } from '../hosting/nginx.ts'

const PLATFORM = platformOf(process.platform, process.arch)
const BINARY = `probe/bin/probe-${PLATFORM}`
const AGENTS = 12
/** How the buckets of the good release lie: so many new agents with each step. */
const STEPS = [5, 25, 50, 100]
/** The canaries of the bad release; it fails on all but one of them. */
const CANARIES = 3
const LIMIT_MS = 90_000
const LOGS = ['local.log', 'origin.log', 'proxy.log']
const TERMS = ['--max-failure-rate', '5', '--min-agents', '2', '--soak', '3s']

interface Advice {
  readonly verdict: string
  readonly percent: number
  readonly toPercent?: number
  readonly reasons: readonly { readonly code: string; readonly text: string }[]
}

let scene: Scene
before(() => {
  scene = new Scene('fleet')
})
after(() => scene.close())

const project = (): string => scene.path('probe')
const moult = (...args: string[]) => scene.moult(args, { cwd: project() })
const moultOk = (...args: string[]) => scene.moultOk(args, { cwd: project() })

/** An agent that knows nothing of updates. Of a version with a fault it ends at once on machines that are frail. */
function writeAgent(path: string, version: string, hasFault = false): string {
  const fault = hasFault ? 'if [ -n "$FRAIL" ]; then echo broken; exit 1; fi\n' : ''
  const text = `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; exit 0; fi\n${fault}exec sleep 1000000\n`
  return scene.write(path, text, 0o755)
}

/** @returns the digest of a release that nobody is offered yet */
async function releaseAlone(version: string, hasFault = false): Promise<string> {
  writeAgent(BINARY, version, hasFault)
  await moultOk('release', version, '--no-rollout')
  const document = readJson<JsonObject>(scene.path('probe', 'updates', 'releases', `${version}.json`))
  return statementDigest(document, RELEASE_UNSIGNED)
}

/** Ids whose buckets are where the scene needs them: all chance is taken out, the buckets themselves are real. */
function chooseIds(bad: string, good: string): { readonly canaries: string[]; readonly others: string[] } {
  const percentOf = (digest: string, id: string): number => rolloutBucket(digest, id) / 100
  const canaries: string[] = []
  const others: string[] = []
  const room = new Map(STEPS.map((step) => [step, AGENTS / STEPS.length]))
  for (let index = 0; canaries.length + others.length < AGENTS; index++) {
    const id = `machine-${index}`
    const step = STEPS.find((one) => percentOf(good, id) < one) ?? 100
    const isCanary = percentOf(bad, id) < 5
    const list = isCanary ? canaries : others
    const left = room.get(step) ?? 0
    if (left === 0 || list.length >= (isCanary ? CANARIES : AGENTS - CANARIES)) continue
    room.set(step, left - 1)
    list.push(id)
  }
  return { canaries, others }
}

/** The local server, nginx as a second origin, and nginx as a caching proxy before the first; each keeps a log. */
async function startHosts(t: TestContext): Promise<{ readonly urls: string[]; readonly logs: string[] }> {
  const [localLog = '', originLog = '', proxyLog = ''] = LOGS.map((name) => scene.path(name))
  const port = await freePort()
  const local = `http://127.0.0.1:${port}`
  const serve = 'exec "$0" "$1" serve updates --port "$2" --json > "$3"'
  scene.start('sh', ['-c', serve, process.execPath, MAIN, String(port), localLog], { cwd: project() })
  const answers = (): Promise<boolean> =>
    fetch(`${local}/version.json`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until('the local server', answers)
  const dir = makeDir(t)
  const listen = (log: string): string => `listen 127.0.0.1:PORT; access_log "${log}" combined;`
  const origin = await startNginx(
    t,
    join(dir, 'origin'),
    configOf('nginx origin', [
      ['listen 8090;', listen(originLog)],
      ['root /srv/updates;', `root "${scene.path('probe', 'updates')}";`],
    ]),
  )
  const proxy = await startNginx(
    t,
    join(dir, 'proxy'),
    configOf('nginx proxy', [
      ['listen 8091;', listen(proxyLog)],
      ['/var/cache/nginx/moult', join(dir, 'cache')],
      ['http://origin.example.com:8090', local],
      ['200 10s', '200 1s'],
    ]),
  )
  return { urls: [local, origin.url, proxy.url], logs: [localLog, originLog, proxyLog] }
}

async function startAgent(id: string, server: string, isFrail: boolean): Promise<void> {
  const home = scene.path('homes', id)
  const first = scene.path('first')
  const place = ['--home', home, '--server', server, '--root', scene.path('probe', 'trust', '1.root.json')]
  const settings = ['--interval', '1s', '--probation', '1s', '--tries', '1']
  await moultOk('agent', 'install', ...place, ...settings, '--program', first)
  const file = scene.path('homes', id, 'agent.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), id }))
  scene.start(process.execPath, [MAIN, 'agent', 'run', '--home', home, '--', first], {
    env: isFrail ? { FRAIL: 'yes' } : {},
  })
}

/** What a team has for its chat. */
async function startWebhook(t: TestContext): Promise<{ readonly url: string; readonly messages: string[] }> {
  const messages: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      messages.push(body)
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, messages }
}

test(
  'a release that fails on some machines is halted, reported and told, and the next one goes to all by itself',
  { skip: noNginx(), timeout: 900_000 },
  async (t) => {
    scene.folder('probe')
    await moultOk('init', '--name', 'probe', '--type', 'files')
    writeAgent('first', '1.0.0')
    writeAgent(BINARY, '1.0.0')
    await moultOk('release', '1.0.0')
    const { canaries, others } = chooseIds(await releaseAlone('1.1.0', true), await releaseAlone('1.2.0'))
    const { urls, logs } = await startHosts(t)
    const frail = new Set(canaries.slice(1))
    for (const [index, id] of [...canaries, ...others].entries())
      await startAgent(id, urls[index % urls.length] ?? '', frail.has(id))

    const figuresOf = async (...sources: string[]): Promise<FleetFigures> =>
      jsonOf(await moultOk('fleet', 'status', ...sources, '--json'))
    const untilFigures = async (what: string, isThere: (figures: FleetFigures) => boolean): Promise<FleetFigures> => {
      let figures: FleetFigures | undefined
      const read = async (): Promise<boolean> => isThere((figures = await figuresOf(...logs)))
      await until(what, read, LIMIT_MS, () => `; ${JSON.stringify(figures)}`)
      assert.ok(figures !== undefined)
      return figures
    }
    /** As a job of cron, again and again; what it published, and what it said last. */
    const advanceUntil = async (verdict: string): Promise<{ readonly steps: number[]; readonly last: Advice }> => {
      const steps: number[] = []
      let last: Advice | undefined
      const run = async (): Promise<boolean> => {
        const outcome = await moult('rollout', 'advance', ...logs.flatMap((log) => ['--logs', log]), ...TERMS, '--json')
        last = jsonOf<Advice>(outcome)
        assert.equal(outcome.code, last.verdict === 'halt' ? 24 : 0, outcome.stdout + outcome.stderr)
        if (last.toPercent !== undefined) steps.push(last.toPercent)
        return last.verdict === verdict
      }
      await until(`the verdict ${verdict}`, run, 3 * LIMIT_MS, () => `; the last was ${JSON.stringify(last)}`)
      assert.ok(last !== undefined)
      return { steps, last }
    }

    await untilFigures('all agents in the logs', ({ agents }) => agents.active === AGENTS)
    for (const log of logs) assert.ok((await figuresOf(log)).agents.total > 0, log)

    await moultOk('rollout', 'set', '1.1.0', '--percent', '5')
    const halted = await advanceUntil('halt')
    assert.deepEqual([halted.steps, halted.last.percent], [[], 5])
    assert.deepEqual(
      halted.last.reasons.map(({ code }) => code),
      ['failure-rate'],
    )
    const failed = await untilFigures('all canaries', ({ releases }) => {
      const release = releases.find(({ version }) => version === '1.1.0')
      return release?.updated === 1 && release.rolledBack === 2
    })
    assert.deepEqual(
      failed.versions.map(({ key, agents }) => [key, agents]),
      [
        ['1.1.0', 1],
        ['1.0.0', AGENTS - 1],
      ],
    )
    const paused = await moult('rollout', 'advance', ...logs.flatMap((log) => ['--logs', log]), ...TERMS)
    assert.equal(paused.code, 0)
    assert.match(paused.stdout, /^Hold probe 1\.1\.0 on stable at 5 %\n {2}paused: /)

    await moultOk('fleet', 'report', ...logs, '--html', scene.path('fleet.html'))
    const report = readFileSync(scene.path('fleet.html'), 'utf8')
    assert.match(report, /1\.1\.0/)
    assert.match(report, /2 rolled back/)
    const { url, messages } = await startWebhook(t)
    const alerts = await moult('fleet', 'alerts', ...logs, '--webhook', url, '--min-agents', '2')
    assert.equal(alerts.code, 29, alerts.stderr)
    assert.equal(messages.length, 1)
    assert.match(messages[0] ?? '', /"code":"FLEET_FAILURE_RATE"/)
    assert.match(messages[0] ?? '', /1\.1\.0 was rolled back by 2 agents/)

    await moultOk('rollout', 'set', '1.2.0', '--percent', '5')
    const complete = await advanceUntil('complete')
    assert.deepEqual([complete.steps, complete.last.percent], [[25, 50, 100], 100])
    const after = await untilFigures('all on the good release', ({ versions }) => versions[0]?.agents === AGENTS)
    assert.deepEqual(
      after.versions.map(({ key }) => key),
      ['1.2.0'],
    )
  },
)
