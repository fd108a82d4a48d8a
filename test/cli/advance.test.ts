// `moult rollout advance` as a process, over the logs of a fleet that polled for a day and more.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import type { Verdict } from '../../fleet/index.ts'
import { pauseRollout, release, type RolloutStatus, rolloutStatus, setRollout } from '../../release/index.ts'
import {
  agentsOf,
  HOUR_MS,
  type LoggedAgent,
  OLDER,
  OTHER_BYTES,
  pollLog,
  ROLLED_BACK,
  UPDATED,
} from '../fleet/judge/poll-log.ts'
import { failsWith, makeProject, snapshot } from '../release/project-fixture.ts'
import { type Outcome, runMoult, startMoult } from './moult-process.ts'

const HOURS = 30
const TERMS = ['--logs', 'access.log', '--min-agents', '5']
const WELL = agentsOf([8, UPDATED], [92, OLDER])

/** 1.1.0 was released 30 hours ago, to 5 percent of those that run 1.0.0. */
async function makeRollout(t: TestContext, agents: readonly LoggedAgent[]) {
  const project = await makeProject(t, { compress: false, attest: false, smoke: false })
  const { config, dir, writeAgents } = project
  for (const [version, percent, hours] of [
    ['1.0.0', 100, HOURS + 1],
    ['1.1.0', 5, HOURS],
  ] as const) {
    await writeAgents(`echo ${version}`)
    const terms = version === '1.1.0' ? { flags: ['parser=new 50%'], rules: ['id:a -> hold'] } : {}
    await release(
      { config, version, percent, expires: '40d', ...terms },
      { env: {}, now: () => Date.now() - hours * HOUR_MS },
    )
  }
  const log = (fleet: readonly LoggedAgent[]): Promise<void> =>
    writeFile(join(dir, 'access.log'), pollLog('probe', fleet, Date.now(), HOURS + 8))
  await log(agents)
  const advance = (...more: string[]): Promise<Outcome> => runMoult(['rollout', 'advance', ...TERMS, ...more], dir)
  const status = (): Promise<RolloutStatus> => rolloutStatus({ config }, { env: {} })
  return { ...project, log, advance, status }
}

const percents = ({ stages }: RolloutStatus): number[] => stages.map(({ percent }) => percent)

test('a release that goes well is widened to the next step, and all else of its rollout stays', async (t) => {
  const { advance, status } = await makeRollout(t, WELL)
  const { code, stdout, stderr } = await advance()
  assert.equal(code, 0, stderr)
  assert.match(
    stdout,
    /^Widen probe 1\.1\.0 on stable from 5 % to 25 %\n {2}healthy: 0 of 8 agents are in trouble with it$/m,
  )
  assert.match(stdout, /^Published probe 1\.1\.0 on stable/m)
  const after = await status()
  assert.deepEqual([after.version, after.sequence, percents(after)], ['1.1.0', 3, [25]])
  assert.deepEqual([after.flags, after.rules.length, after.fallback?.version], [['parser=new 50%'], 1, '1.0.0'])
  // The new step has to be seen first.
  const again = await advance()
  assert.equal(again.code, 0)
  assert.match(again.stdout, /^Hold probe 1\.1\.0 on stable at 25 %\n {2}soak: the logs show 0 s of the present stage/)
  assert.match(again.stdout, /^Not before \d{4}-/m)
  assert.equal((await status()).sequence, 3)
})

test('a plan says the same, changes nothing, and needs no key', async (t) => {
  const { dir, updates, advance } = await makeRollout(t, WELL)
  await rm(join(dir, 'keys/moult.key'))
  const before = await snapshot(updates)
  const { code, stdout, stderr } = await advance('--plan', '--json', '--steps', '10,20%')
  assert.equal(code, 0, stderr)
  const { evidence, reasons, ...rest } = JSON.parse(stdout) as Verdict & Record<string, unknown>
  assert.deepEqual(rest, {
    verdict: 'widen',
    name: 'probe',
    version: '1.1.0',
    channel: 'stable',
    percent: 5,
    toPercent: 10,
    plan: true,
  })
  assert.deepEqual([evidence?.well, evidence?.older.active, reasons.length], [8, 92, 1])
  assert.deepEqual(await snapshot(updates), before)
})

test('a release that fails on some is halted with its own exit status, once', async (t) => {
  const { advance, status, updates } = await makeRollout(t, agentsOf([7, UPDATED], [1, ROLLED_BACK], [92, OLDER]))
  const plan = await advance('--plan')
  assert.equal(plan.code, 24)
  assert.equal((await status()).paused, undefined)
  const { code, stdout, stderr } = await advance('--json')
  assert.equal(code, 24, stderr)
  assert.match(
    stdout,
    /^\{"verdict":"halt",.*"code":"failure-rate","text":"it failed on 12\.5 % of 8 agents, more than 5 %/,
  )
  assert.match(stdout, /"result":\{"kind":"published"/)
  assert.ok((await status()).paused?.since !== undefined)
  const before = await snapshot(updates)
  const again = await advance()
  assert.equal(again.code, 0)
  assert.match(again.stdout, /^Hold probe 1\.1\.0 on stable at 5 %\n {2}paused: /)
  assert.deepEqual(await snapshot(updates), before)
})

test('as many failures as the terms allow do not halt it, one agent with other bytes does', async (t) => {
  const { advance, log, status } = await makeRollout(t, agentsOf([7, UPDATED], [1, ROLLED_BACK], [92, OLDER]))
  const lenient = await advance('--max-failure-rate', '12.5%')
  assert.match(lenient.stdout, /^Widen probe .*\n {2}healthy: 1 of 8 agents are in trouble with it$/m)
  await log(agentsOf([8, UPDATED], [1, OTHER_BYTES], [91, OLDER]))
  const mismatch = await advance('--max-failure-rate', '90')
  assert.equal(mismatch.code, 24, mismatch.stdout)
  assert.match(mismatch.stdout, /^ {2}hash-mismatch: 1 agent got bytes that are not those of the signed hash$/m)
  assert.ok((await status()).paused)
})

test('agents that went silent on it halt it; those that had gone before the release are no comparison', async (t) => {
  const gone = [300, { lastHours: HOURS + 2 }] as const
  const { advance, log } = await makeRollout(
    t,
    agentsOf([6, UPDATED], [2, { ...UPDATED, lastHours: 10 }], [92, OLDER], gone),
  )
  const { code, stdout } = await advance('--plan')
  assert.equal(code, 24, stdout)
  assert.match(stdout, /2 more than usual went silent on it/)
  assert.match((await advance('--plan', '--silent-after', '11h')).stdout, /^Widen /)
  // Where so many of the others are off, too, it is the weekend.
  await log(agentsOf([6, UPDATED], [2, { ...UPDATED, lastHours: 10 }], [60, OLDER], [40, { ...OLDER, lastHours: 9 }]))
  assert.match((await advance('--plan')).stdout, /^Widen /)
})

test('on logs that tell nothing, or too little, nothing changes', async (t) => {
  const { dir, advance, log, updates } = await makeRollout(t, [])
  const before = await snapshot(updates)
  const holds = async (code: string, ...more: string[]): Promise<void> => {
    const outcome = await advance('--json', ...more)
    assert.equal(outcome.code, 0, outcome.stderr)
    const { verdict, reasons } = JSON.parse(outcome.stdout) as { verdict: string; reasons: { code: string }[] }
    assert.equal(verdict, 'hold')
    assert.ok(
      reasons.some((reason) => reason.code === code),
      outcome.stdout,
    )
  }
  await holds('no-data')
  await log(agentsOf([100, OLDER]))
  await holds('not-seen')
  await log(WELL.map((agent) => ({ ...agent, lastHours: 3 })))
  await holds('stale', '--max-age', '2h')
  await writeFile(join(dir, 'access.log'), 'not a log\n'.repeat(100))
  await holds('no-data')
  assert.deepEqual(await snapshot(updates), before)
})

test('a log that is not there, or a term that cannot be read, is a usage error', async (t) => {
  const { dir, updates } = await makeRollout(t, [])
  const before = await snapshot(updates)
  for (const args of [
    [],
    ['--logs', 'nowhere.log'],
    [...TERMS, '--max-failure-rate', '100'],
    [...TERMS, '--min-agents', '0'],
    [...TERMS, '--soak', 'long'],
    [...TERMS, '--steps', '25,5'],
    [...TERMS, '--steps', '5,101'],
  ])
    assert.equal((await runMoult(['rollout', 'advance', ...args], dir)).code, 2, args.join(' '))
  assert.deepEqual(await snapshot(updates), before)
})

test('of several at once one widens it, by one step', async (t) => {
  const { advance, status } = await makeRollout(t, WELL)
  const outcomes = await Promise.all([advance(), advance(), advance()])
  const after = await status()
  assert.deepEqual([after.sequence, percents(after)], [3, [25]])
  const published = outcomes.filter(({ stdout }) => stdout.includes('Published probe'))
  assert.equal(published.length, 1, JSON.stringify(outcomes))
  for (const { code } of outcomes) assert.ok([0, 27, 28].includes(code ?? -1), JSON.stringify(outcomes))
})

test('what was judged and is no longer live is neither widened nor halted', async (t) => {
  const { config, status } = await makeRollout(t, WELL)
  const { sequence } = await status()
  await setRollout({ config, percent: 1 }, { env: {} })
  const conflict = failsWith('ERR_PUBLISH_CONFLICT', /another release or rollout has just gone live/)
  await assert.rejects(setRollout({ config, percent: 25, ifSequence: sequence }, { env: {} }), conflict)
  await assert.rejects(pauseRollout({ config, live: '1.0.0' }, { env: {} }), conflict)
  assert.deepEqual(percents(await status()), [1])
  await setRollout({ config, percent: 25, ifSequence: sequence + 1 }, { env: {} })
  await pauseRollout({ config, live: '1.1.0' }, { env: {} })
  const after = await status()
  assert.deepEqual([percents(after), after.paused === undefined], [[25], false])
})

test('what has changed while it read the logs is left as it is', async (t) => {
  const { dir, config, status } = await makeRollout(t, WELL)
  const pipe = join(dir, 'pipe.log')
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0)
  for (const [fleet, change] of [
    [WELL, () => setRollout({ config, percent: 1 }, { env: {} })],
    [agentsOf([10, ROLLED_BACK]), () => setRollout({ config, version: '1.2.0', percent: 1 }, { env: {} })],
  ] as const) {
    if (fleet !== WELL) await release({ config, version: '1.2.0', rollout: false }, { env: {} })
    const { ended } = startMoult(['rollout', 'advance', '--logs', 'pipe.log', '--min-agents', '5'], dir)
    // Opened once the command has looked at the live rollout and wants to read.
    const writer = await open(pipe, 'w')
    await change()
    await writer.writeFile(pollLog('probe', fleet, Date.now(), HOURS))
    await writer.close()
    const { code, stderr } = await ended
    assert.equal(code, 27, stderr)
    assert.match(stderr, /another release or rollout has just gone live on stable/)
    const after = await status()
    assert.deepEqual([percents(after), after.paused], [[1], undefined])
  }
})

test('one that is killed leaves a whole manifest, and the next one goes on', async (t) => {
  const { dir, advance, status, moult } = { ...(await makeRollout(t, WELL)), moult: runMoult }
  for (const delayMs of [0, 400, 600, 800]) {
    const { child, ended } = startMoult(['rollout', 'advance', ...TERMS], dir)
    await once(child, 'spawn')
    setTimeout(() => child.kill('SIGKILL'), delayMs)
    await ended
    const { version, sequence, stages } = await status()
    assert.deepEqual([version, stages[0]?.percent], ['1.1.0', sequence === 2 ? 5 : 25])
  }
  const { code, stderr } = await advance()
  assert.equal(code, 0, stderr)
  assert.deepEqual(percents(await status()), [25])
  assert.equal((await moult(['verify', 'updates', '--root', 'trust/1.root.json'], dir)).code, 0)
})
