import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import {
  type AgentFacts,
  decide,
  type Decision,
  type JsonObject,
  NO_FLOOR,
  parseStrictJson,
  type Release,
  type Rollout,
  verifyManifest,
  verifyRelease,
} from '../../../manifests/index.ts'
import {
  pauseRollout,
  promote,
  readRoots,
  refresh,
  release,
  type ReleaseDeps,
  resumeRollout,
  rollback,
  rolloutStatus,
  setRollout,
} from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject, snapshot } from '../project-fixture.ts'
import { makeSplitProject } from '../split-project.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const START = Date.UTC(2026, 10, 21)

interface Stage extends Fixture {
  /** What is live, verified as an agent does that starts then. */
  readonly live: (hours?: number, channel?: string) => Promise<ReturnType<typeof verified>>
  /** What an agent with this id does. */
  readonly decision: (facts: Partial<AgentFacts>, hours?: number) => Promise<Decision>
  readonly at: (hours: number) => ReleaseDeps
}

type Live = Extract<ReturnType<typeof verifyManifest>, { kind: 'accepted' }>
function verified(verdict: ReturnType<typeof verifyManifest>): Live {
  assert.ok(verdict.kind === 'accepted', verdict.kind === 'refused' ? verdict.error.message : '')
  return verdict
}

const at = (hours: number): ReleaseDeps => ({ now: () => START + hours * HOUR_MS, env: {} })

async function makeStage(t: TestContext, versions: readonly string[], members = {}): Promise<Stage> {
  const project = await makeProject(t, { compress: false, attest: false, smoke: false, ...members })
  for (const version of versions) {
    await project.writeAgents(`echo ${version}`)
    await project.release(version, {}, at(0))
  }
  const roots = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  const live: Stage['live'] = async (hours = 0, channel = 'stable') => {
    const bytes = await readFile(join(project.updates, channel === 'stable' ? '' : channel, 'version.json'))
    return verified(verifyManifest(bytes, { root: roots[0], channel, floor: NO_FLOOR }, START + hours * HOUR_MS))
  }
  const decision: Stage['decision'] = async (facts, hours = 0) => {
    const { manifest, trust } = await live(hours)
    const all = { id: 'agent-1', platform: 'linux-amd64', quarantine: new Set<string>(), ...facts }
    const result = decide(manifest, all, START + hours * HOUR_MS)
    if (result.kind !== 'release-needed') return result
    // As the agent fetches it: the file that the reference names.
    const other = verifyRelease(await readFile(join(project.updates, result.ref.url)), result.ref, trust.root)
    const again = decide(manifest, all, START + hours * HOUR_MS, new Map([[result.ref.release, other]]))
    assert.ok(again.kind !== 'release-needed')
    return again
  }
  return { ...project, live, decision, at }
}

const told = (decision: Decision): string =>
  [decision.kind, 'reason' in decision ? decision.reason : '', 'version' in decision ? decision.version : '']
    .join(' ')
    .trim()

test('case 91: who has moved stays where it is while the rollout is paused, and the others stop', async (t) => {
  const { config, decision, live } = await makeStage(t, ['1.0.0'])
  await release({ config, version: '1.1.0', percent: 50 }, at(1))
  const moves = async (id: string) => told(await decision({ id, running: '1.0.0' }, 1)) === 'install newer 1.1.0'
  const ids = Array.from({ length: 40 }, (_, index) => `agent-${index}`)
  const moving = (await Promise.all(ids.map(async (id) => ((await moves(id)) ? id : '')))).find((id) => id !== '') ?? ''
  assert.notEqual(moving, '', 'none of 40 agents is in at 50 percent')
  assert.equal((await pauseRollout({ config }, at(2))).kind, 'published')
  const { rollout } = (await live(2)).manifest
  assert.deepEqual([rollout.paused, rollout.paused_since], [true, '2026-11-21T02:00:00Z'])
  for (const id of ids) {
    assert.equal(told(await decision({ id, running: '1.1.0' }, 3)), 'up-to-date', 'what moved does not go back')
    assert.equal(told(await decision({ id, running: '1.0.0' }, 3)), 'wait paused 1.1.0')
  }
  assert.equal((await pauseRollout({ config }, at(3))).kind, 'unchanged')
  assert.equal((await live(3)).manifest.rollout.sequence, 3)
  assert.equal((await resumeRollout({ config }, at(4))).kind, 'published')
  assert.equal(told(await decision({ id: moving, running: '1.0.0' }, 4)), 'install newer 1.1.0')
  assert.equal((await resumeRollout({ config }, at(4))).kind, 'unchanged')
})

test('case 91: a percent that is lowered stops the others, and takes nobody back', async (t) => {
  const { config, decision } = await makeStage(t, ['1.0.0'])
  await release({ config, version: '1.1.0', percent: 100 }, at(1))
  await setRollout({ config, percent: 0 }, at(2))
  assert.equal(told(await decision({ running: '1.1.0' }, 2)), 'up-to-date')
  assert.equal(told(await decision({ running: '1.0.0' }, 2)), 'wait stage 1.1.0')
})

test('after a pause the stages that were to come are as much later, unless their dates are to be kept', async (t) => {
  const { config, live } = await makeStage(t, [])
  const days = async (hours: number) =>
    (await live(hours)).manifest.rollout.stages.map((stage) => stage.at.slice(5, 13))
  await release({ config, version: '1.0.0', stages: '0h:5%,24h:50%,48h:100%' }, at(0))
  await pauseRollout({ config }, at(30))
  await resumeRollout({ config, keepDates: true }, at(40))
  assert.deepEqual(await days(40), ['11-21T00', '11-22T00', '11-23T00'])
  await pauseRollout({ config }, at(40))
  await resumeRollout({ config }, at(50))
  const { rollout } = (await live(50)).manifest
  assert.deepEqual(await days(50), ['11-21T00', '11-22T00', '11-23T10'])
  assert.deepEqual([rollout.paused, rollout.paused_since, rollout.sequence], [undefined, undefined, 5])
})

test('rules decide for their agents: a ring first, a pin to the version before, and a hold', async (t) => {
  const { config, decision } = await makeStage(t, ['1.0.0', '1.1.0'])
  const rules = ['label:ring=canary -> 100%', 'id:b -> pin 1.0.0', 'platform:darwin-arm64 -> hold']
  await release({ config, version: '1.2.0', percent: 0, rules }, at(1))
  const running = '1.1.0'
  assert.equal(told(await decision({ running, labels: { ring: 'canary' } }, 1)), 'install newer 1.2.0')
  assert.equal(told(await decision({ running, id: 'b' }, 1)), 'install pinned 1.0.0')
  assert.equal(told(await decision({ running, platform: 'darwin-arm64' }, 1)), 'wait hold 1.2.0')
  assert.equal(told(await decision({ running }, 1)), 'wait stage 1.2.0')
  assert.equal(told(await decision({}, 1)), 'install held-back 1.1.0')
  assert.equal(told(await decision({ running: '1.0.0' }, 1)), 'install held-back 1.1.0')
  // The next release keeps them.
  await release({ config, version: '1.3.0', percent: 0 }, at(2))
  assert.equal(told(await decision({ running, labels: { ring: 'canary' } }, 2)), 'install newer 1.3.0')
  assert.equal(told(await decision({ running, platform: 'darwin-arm64' }, 2)), 'wait hold 1.3.0')
  assert.equal(told(await decision({}, 2)), 'install held-back 1.1.0', '1.2.0 was for nobody')
})

test('a pin on another channel leads to the same file', async (t) => {
  const { config, updates, live } = await makeStage(t, ['1.0.0', '1.1.0'])
  await promote({ config, version: '1.1.0', to: 'beta', rules: ['all -> pin 1.0.0'] }, at(1))
  const { rollout } = (await live(1, 'beta')).manifest
  const url = rollout.rules?.[0]?.pin?.url ?? ''
  const base = new URL(rollout.base ?? '', 'https://updates.example.com/beta/version.json')
  assert.equal(new URL(url, base).pathname, '/releases/1.0.0.json')
  assert.ok(existsSync(join(updates, url)))
})

test('a pin to what was never published, or to what agents would refuse, is refused', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0', '1.1.0'])
  const set = (rule: string) => setRollout({ config, rules: [rule] }, at(1))
  await assert.rejects(set('all -> pin 0.9.0'), failsWith('ERR_USAGE_INVALID', /no such release/))
  const path = join(updates, 'releases/1.0.0.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace(/"size": \d+/, '"size": 1'))
  const before = await snapshot(updates)
  await assert.rejects(
    set('all -> pin 1.0.0'),
    failsWith('ERR_TRUST_SIGNATURE', /agents would refuse releases\/1\.0\.0/),
  )
  assert.deepEqual(await snapshot(updates), before)
  await writeFile(path, text)
  assert.equal((await set('all -> pin 1.0.0')).kind, 'published')
})

test('a rollout that cannot be stated is refused before anything is built', async (t) => {
  const { config, updates, change } = await makeStage(t, ['1.0.0'])
  await setRollout({ config, rules: ['label:site=eu -> hold'] }, at(1))
  const before = await snapshot(updates)
  await change({ build: { type: 'command', command: 'false' }, rollout: { rules: ['all -> 100%'] } })
  const make = (rules?: string[]) => release({ config, version: '1.1.0', rules }, at(2))
  await assert.rejects(make(), failsWith('ERR_POLICY_REFUSED', /would let agents go/))
  await assert.rejects(make(['all -> pin 0.9.0']), failsWith('ERR_USAGE_INVALID', /no such release/))
  await assert.rejects(make(['label:site=eu -> hold']), failsWith('ERR_BUILD_FAILED'))
  assert.deepEqual(await snapshot(updates), before)
})

test('a release before that agents of today cannot verify is no fallback', async (t) => {
  const { config, updates, live } = await makeStage(t, ['1.0.0'])
  const path = join(updates, 'releases/1.0.0.json')
  const document = JSON.parse(await readFile(path, 'utf8')) as JsonObject
  await writeFile(path, JSON.stringify({ ...document, signatures: [] }))
  const notes: string[] = []
  const on: ReleaseDeps['on'] = (event) => (event.kind === 'note' ? notes.push(event.text) : 0)
  await release({ config, version: '1.1.0', percent: 5 }, { ...at(1), on })
  assert.equal((await live(1)).manifest.rollout.fallback, undefined)
  assert.match(notes.join('\n'), /Agents of today cannot verify 1\.0\.0/)
})

test('a promotion offers the very same release on another channel, and writes no file of it again', async (t) => {
  const { config, updates, live, decision } = await makeStage(t, ['1.0.0'])
  await release({ config, version: '1.1.0', channel: 'beta' }, at(1))
  const before = await snapshot(updates)
  const planned = await promote({ config, version: '1.1.0', to: 'stable', plan: true }, at(2))
  assert.equal(planned.kind, 'planned')
  assert.deepEqual(await snapshot(updates), before)
  const result = await promote({ config, version: '1.1.0', to: 'stable' }, at(2))
  const rewritten = result.files.filter(
    ({ action, path }) => action === 'write' && /^(?:bin|releases|trust)\//.test(path),
  )
  assert.deepEqual(rewritten, [])
  assert.equal((await live(2)).manifest.releaseDigest, (await live(2, 'beta')).manifest.releaseDigest)
  assert.equal(told(await decision({ running: '1.0.0' }, 2)), 'install newer 1.1.0')
  assert.equal((await promote({ config, version: '1.1.0', to: 'stable' }, at(3))).kind, 'unchanged')
  assert.equal((await promote({ config, version: '1.1.0', to: 'stable', percent: 50 }, at(3))).kind, 'published')
  await assert.rejects(promote({ config, version: '1.0.0', to: 'beta' }, at(4)), failsWith('ERR_POLICY_REFUSED'))
  await assert.rejects(promote({ config, version: '1.1.0', to: 'history' }, at(4)), failsWith('ERR_USAGE_INVALID'))
})

test('a way back sends those that run what lies between, and nobody else', async (t) => {
  const { config, updates, decision, live } = await makeStage(t, ['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
  const before = await snapshot(updates)
  const plan = await rollback({ config, version: '1.1.0', plan: true }, at(1))
  assert.deepEqual([plan.kind, plan.rollout?.rollback], ['planned', ['1.3.0', '1.2.0']])
  assert.deepEqual(await snapshot(updates), before)
  await rollback({ config, version: '1.1.0' }, at(1))
  const { rollout } = (await live(1)).manifest
  assert.deepEqual([rollout.sequence, rollout.fallback, rollout.rollback], [5, undefined, ['1.3.0', '1.2.0']])
  for (const running of ['1.2.0', '1.3.0']) assert.equal(told(await decision({ running }, 1)), 'install rollback 1.1.0')
  assert.equal(told(await decision({ running: '1.0.0' }, 1)), 'install newer 1.1.0')
  assert.equal(told(await decision({ running: '1.4.0-local' }, 1)), 'refuse downgrade 1.1.0')
  // The way forward is open again; who was away goes back first, until the next release is for it.
  await release({ config, version: '1.4.0', stages: '0h:0%,24h:100%' }, at(2))
  assert.equal(told(await decision({ running: '1.1.0' }, 2)), 'wait stage 1.4.0')
  for (const running of ['1.2.0', '1.3.0'])
    assert.equal(told(await decision({ running }, 2)), 'install held-back 1.1.0')
  for (const running of ['1.1.0', '1.3.0']) assert.equal(told(await decision({ running }, 26)), 'install newer 1.4.0')
})

test('a second way back takes along whom the first one has not reached', async (t) => {
  const { config, decision } = await makeStage(t, ['1.0.0', '1.1.0', '1.2.0'])
  await rollback({ config, version: '1.1.0' }, at(1))
  const { rollout } = await rollback({ config, version: '1.0.0', plan: true }, at(2))
  await rollback({ config, version: '1.0.0', from: rollout?.rollback }, at(2))
  for (const running of ['1.1.0', '1.2.0']) assert.equal(told(await decision({ running }, 2)), 'install rollback 1.0.0')
})

test('a text that is no version is a usage error of each command that takes one', async (t) => {
  const { config } = await makeStage(t, ['1.0.0'])
  for (const run of [
    () => setRollout({ config, version: 'latest' }, at(1)),
    () => promote({ config, version: 'latest', to: 'beta' }, at(1)),
    () => rollback({ config, version: 'latest' }, at(1)),
  ])
    await assert.rejects(run, failsWith('ERR_USAGE_INVALID', /not a semantic version/))
})

test('a way back is refused across a rollback floor, to what is not older, and where somebody has agreed to another', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0'])
  await release({ config, version: '1.1.0', rollbackFloor: '1.1.0' }, at(1))
  await release({ config, version: '1.2.0' }, at(2))
  const before = await snapshot(updates)
  const back = (version: string, more = {}) => rollback({ config, version, ...more }, at(3))
  await assert.rejects(
    back('1.0.0'),
    failsWith('ERR_POLICY_REFUSED', /1\.1\.0 was released with the rollback floor 1\.1\.0/),
  )
  await assert.rejects(back('1.2.0'), failsWith('ERR_USAGE_INVALID', /not older than the live 1\.2\.0/))
  await assert.rejects(back('1.1.5'), failsWith('ERR_USAGE_INVALID', /no such release/))
  await assert.rejects(back('1.1.0', { live: '1.1.5' }), failsWith('ERR_PUBLISH_CONFLICT'))
  await assert.rejects(back('1.1.0', { from: ['1.1.0'] }), failsWith('ERR_USAGE_INVALID', /^--from/))
  assert.deepEqual(await snapshot(updates), before)
  assert.deepEqual((await back('1.1.0')).rollout?.rollback, ['1.2.0'])
})

test('more versions between than a rollout can name have to be named by a person', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0', '1.1.0'])
  const text = await readFile(join(updates, 'releases/1.0.0.json'), 'utf8')
  for (let patch = 1; patch <= 64; patch += 1) await writeFile(join(updates, `releases/1.0.${patch}.json`), text)
  await assert.rejects(rollback({ config, version: '1.0.0' }, at(1)), failsWith('ERR_USAGE_INVALID', /65 versions/))
  const result = await rollback({ config, version: '1.0.0', from: ['1.0.7'] }, at(1))
  assert.deepEqual(result.rollout?.rollback, ['1.1.0', '1.0.7'])
})

test('rules that hold or pin outlive a way back, and it says so', async (t) => {
  const { config, live } = await makeStage(t, ['1.0.0', '1.1.0'])
  await setRollout({ config, rules: ['id:a -> hold', 'all -> flag x=1'] }, at(1))
  const notes: string[] = []
  await rollback(
    { config, version: '1.0.0' },
    { ...at(2), on: (event) => event.kind === 'note' && notes.push(event.text) },
  )
  assert.equal((await live(2)).manifest.rollout.rules?.length, 2)
  assert.match(notes.join('\n'), /A rule that holds or pins agents is kept/)
})

test('refresh renews what has less than half of its life left, with the same content and the next sequence', async (t) => {
  const { config, updates, live } = await makeStage(t, ['1.0.0'])
  await release(
    { config, version: '1.1.0', expires: '40d', stages: '0h:5%,1000h:100%', rules: ['id:a -> hold'] },
    at(0),
  )
  const before = await snapshot(updates)
  assert.equal((await refresh({ config }, at(19 * 24))).channels[0]?.kind, 'unchanged')
  assert.equal((await refresh({ config, plan: true }, at(21 * 24))).channels[0]?.kind, 'planned')
  assert.deepEqual(await snapshot(updates), before)
  const content = async (hours: number) => {
    const { issued, expires, sequence, previous: _, ...rest } = (await live(hours)).manifest.rollout
    return [rest, issued, expires, sequence] as const
  }
  const [was] = await content(0)
  assert.equal((await refresh({ config }, at(21 * 24))).channels[0]?.kind, 'renewed')
  const [is, issued, expires, sequence] = await content(21 * 24)
  assert.deepEqual(is, was)
  assert.deepEqual([issued.slice(0, 10), expires.slice(0, 10), sequence], ['2026-12-12', '2027-01-21', 3])
  assert.equal((await refresh({ config, force: true }, at(21 * 24 + 1))).channels[0]?.kind, 'renewed')
  // Also when it has expired: nobody was there for a while.
  assert.equal((await refresh({ config }, at(100 * 24))).channels[0]?.kind, 'renewed')
})

test('case 104: below a quarter of its life the check fails without a key, and says since when nobody renews it', async (t) => {
  const { dir, config, updates } = await makeStage(t, [])
  await release({ config, version: '1.0.0', expires: '40d' }, at(0))
  await release({ config, version: '1.0.0', channel: 'beta', expires: '100d' }, at(0))
  await rm(join(dir, 'keys/moult.key'))
  const before = await snapshot(updates)
  const check = async (days: number, more = {}) =>
    (await refresh({ config, check: true, ...more }, at(days * 24))).channels
  assert.deepEqual(
    (await check(29.9)).map(({ kind, expires }) => [kind, expires]),
    [['checked', '2026-12-31T00:00:00Z']],
  )
  const [late] = await check(30.1)
  assert.deepEqual([late?.kind, late?.error?.code], ['failed', 'ERR_TRUST_EXPIRED'])
  assert.match(late?.error?.message ?? '', /less than a quarter of its life is left, until 2026-12-31/)
  assert.match((await check(41))[0]?.error?.message ?? '', /expired at 2026-12-31/)
  const all = await check(31, { allChannels: true })
  assert.deepEqual(
    all.map(({ channel, kind }) => `${channel} ${kind}`),
    ['beta checked', 'stable failed'],
  )
  assert.deepEqual(await snapshot(updates), before)
  await assert.rejects(refresh({ config }, at(31 * 24)), failsWith('ERR_CONFIG_KEY'))
})

test('one channel that cannot be renewed does not keep the others from it', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0'])
  await release({ config, version: '1.1.0', channel: 'beta' }, at(0))
  const path = join(updates, 'beta/version.json')
  await writeFile(path, (await readFile(path, 'utf8')).replace('"sequence": 1', '"sequence": 9'))
  const { channels } = await refresh({ config, allChannels: true }, at(60 * 24))
  assert.deepEqual(
    channels.map(({ channel, kind, error }) => [channel, kind, error?.code]),
    [
      ['beta', 'failed', 'ERR_PUBLISH_FAILED'],
      ['stable', 'renewed', undefined],
    ],
  )
})

test('the status needs no key, and tells what is offered, to whom, and until when', async (t) => {
  const { dir, config } = await makeStage(t, ['1.0.0'])
  const options = { stages: '0h:5%,24h:50%,48h:100%', spread: '30m', poll: '10m', expires: '10d' }
  await release(
    { config, version: '1.1.0', ...options, rules: ['label:ring=canary -> 100%'], flags: ['a=1 50%'] },
    at(0),
  )
  await pauseRollout({ config }, at(30))
  await rm(join(dir, 'keys/moult.key'))
  const { stages, paused, rules, ...status } = await rolloutStatus({ config }, at(30))
  assert.deepEqual(
    stages.map(({ percent, state }) => `${percent} ${state}`),
    ['5 past', '50 present', '100 to come'],
  )
  assert.deepEqual(paused, { since: '2026-11-22T06:00:00Z' })
  assert.deepEqual(rules, [
    { text: 'label:ring=canary -> 100%', words: 'agents with label ring canary: 100 % since 2026-11-21' },
  ])
  const { version, sequence, leftPercent, spread, poll, flags, fallback, refused } = status
  assert.deepEqual([version, sequence, leftPercent, spread, poll, flags], ['1.1.0', 3, 100, '30m', '10m', ['a=1 50%']])
  assert.deepEqual([fallback?.version, refused], ['1.0.0', undefined])
  const later = await rolloutStatus({ config }, at(400))
  assert.deepEqual([later.leftPercent, later.refused?.code, later.refused?.exitCode], [0, 'ERR_TRUST_EXPIRED', 22])
})

test('the status of a manifest that agents refuse is their code, and of none a usage error', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0'])
  await assert.rejects(
    rolloutStatus({ config, channel: 'beta' }, at(0)),
    failsWith('ERR_USAGE_INVALID', /nothing is live/),
  )
  const path = join(updates, 'version.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('"sequence": 1', '"sequence": 2'))
  await assert.rejects(rolloutStatus({ config }, at(0)), failsWith('ERR_TRUST_SIGNATURE'))
  await assert.rejects(pauseRollout({ config }, at(0)), failsWith('ERR_PUBLISH_FAILED'))
  await writeFile(path, text)
  assert.equal((await rolloutStatus({ config }, at(0))).version, '1.0.0')
})

test('a pause and a release at once: one sequence each, or a clear error', async (t) => {
  const { config, live, writeAgents } = await makeStage(t, ['1.0.0'])
  await writeAgents('echo 2')
  const outcomes = await Promise.allSettled([
    pauseRollout({ config }, at(1)),
    setRollout({ config, percent: 10 }, at(1)),
    release({ config, version: '1.1.0' }, at(1)),
    refresh({ config, force: true }, at(1)).then(({ channels: [one] }) => {
      if (one?.error !== undefined) throw one.error
    }),
  ])
  const won = outcomes.filter(({ status }) => status === 'fulfilled').length
  assert.ok(won >= 1)
  for (const outcome of outcomes) {
    const { code } = (outcome.status === 'rejected' ? outcome.reason : {}) as { code?: string }
    assert.ok([undefined, 'ERR_PUBLISH_CONFLICT', 'ERR_POLICY_REFUSED'].includes(code), String(code))
  }
  assert.equal((await live(1)).manifest.rollout.sequence, 1 + won)
})

test('each of these commands needs the rollout key alone, and is refused with the release key', async (t) => {
  const { config: releaser, release: make, rollout, writeAgents } = await makeSplitProject(t)
  for (const version of ['1.0.0', '1.1.0']) {
    await writeAgents(`echo ${version}`)
    await make(version, { rollout: false })
  }
  const { config } = rollout
  const deps = { env: {} }
  const commands = (machine: string) => [
    () => setRollout({ config: machine, version: '1.0.0' }, deps),
    () => setRollout({ config: machine, version: '1.1.0', rules: ['id:a -> pin 1.0.0'] }, deps),
    () => promote({ config: machine, version: '1.1.0', to: 'beta' }, deps),
    () => pauseRollout({ config: machine }, deps),
    () => resumeRollout({ config: machine }, deps),
    () => refresh({ config: machine, force: true }, deps),
    () => rollback({ config: machine, version: '1.0.0' }, deps),
  ]
  for (const run of commands(releaser)) await assert.rejects(run, failsWith('ERR_CONFIG_KEY'))
  for (const [index, run] of commands(config).entries())
    if (index < 6) assert.ok(JSON.stringify(await run()).match(/"kind":"(?:published|renewed)"/))
  // The pin of the set above stays, and 1.0.0 is where it leads.
  assert.equal((await rollback({ config, version: '1.0.0' }, deps)).kind, 'published')
})

test('a clock behind the live rollout signs none of it', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0', '1.1.0'])
  const before = await snapshot(updates)
  const back = at(-48)
  for (const run of [
    () => pauseRollout({ config }, back),
    async () => {
      const { channels } = await refresh({ config, force: true }, back)
      if (channels[0]?.error !== undefined) throw channels[0].error
    },
    () => rollback({ config, version: '1.0.0' }, back),
    () => setRollout({ config, percent: 5 }, back),
  ])
    await assert.rejects(run, failsWith('ERR_TRUST_DATE'))
  assert.deepEqual(await snapshot(updates), before)
})

type Published = Release & JsonObject & { rollout: Rollout & JsonObject }

test('a pause outlives a refresh and other stages, and each statement lives as long as the one before', async (t) => {
  const { config, updates } = await makeStage(t, ['1.0.0'])
  const path = join(updates, 'version.json')
  const document = parseStrictJson(await readFile(path)) as Published
  assert.deepEqual(Object.keys(document.rollout).slice(0, 3), ['format', 'name', 'channel'])
  await pauseRollout({ config }, at(1))
  await refresh({ config, force: true }, at(2))
  await setRollout({ config, percent: 7 }, at(3))
  const { rollout } = parseStrictJson(await readFile(path)) as Published
  assert.deepEqual([rollout.paused, rollout.sequence, rollout.stages[0]?.percent], [true, 4, 7])
  assert.equal(Date.parse(rollout.expires) - Date.parse(rollout.issued), 90 * DAY_MS)
})
