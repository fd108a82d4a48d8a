// Releases that a signed rollout names besides the one in the manifest: the pin of a rule, and the fallback.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { approveUpdate } from '../../agent/home/approval.ts'
import { homeAt } from '../../agent/home/home.ts'
import { readLaunchRecord, writeLaunchRecord } from '../../agent/home/launch-record.ts'
import { loadState, saveState } from '../../agent/home/state.ts'
import { installAgent } from '../../agent/install/install.ts'
import { agentStatus } from '../../agent/report/agent-status.ts'
import { noteAvailable, readAvailable } from '../../agent/report/available.ts'
import { readHistory } from '../../agent/report/history.ts'
import { noteCheck } from '../../agent/report/last-check.ts'
import { settle } from '../../agent/trial/settle.ts'
import { confirmVersion, rollBackVersion } from '../../agent/trial/verdict.ts'
import { checkOnce } from '../../agent/check-once.ts'
import type { UpdateResult } from '../../agent/update.ts'
import { formatDate, type JsonValue, sha256 } from '../../manifests/index.ts'
import { makeKey, makeRoot, makeRootChain, defaultKeys } from '../fixtures/signed-manifest.ts'
import {
  adopt,
  BOUNDED,
  failureOf,
  type Host,
  makeDir,
  makeMachine,
  NOW,
  type Offer,
  program,
  publish,
  publishRelease,
  settingsAt,
  startHost,
  whatRuns,
} from './field.ts'

const HOUR_MS = 3_600_000
const PINNED = 'releases/1.5.0.json'

/** 2.0.0 for all, and `pin` for this agent. */
function publishPin(host: Host, pin: JsonValue, sequence = 10, more: Offer['manifest'] = {}): void {
  const rules = [{ match: {}, pin }]
  publish(host, { version: '2.0.0', sequence, manifest: { ...more, rollout: { rules, ...more.rollout } } })
}

/** 2.0.0 for nobody yet; the others get `fallback`. */
function publishStage(host: Host, fallback: JsonValue, sequence = 10): void {
  const stages = [{ at: formatDate(NOW + HOUR_MS), percent: 100 }]
  publish(host, { version: '2.0.0', sequence, manifest: { rollout: { stages, fallback } } })
}

function saysOf(result: UpdateResult): string {
  if (result.kind === 'swapped') return `swapped ${result.version}`
  const { decision } = result
  return [decision.kind, 'reason' in decision ? decision.reason : '', 'version' in decision ? decision.version : '']
    .join(' ')
    .trim()
}

describe('a pin by a rule', { ...BOUNDED, concurrency: 4 }, () => {
  test('brings a newer release and an older one, each fetched once and kept', async (t) => {
    const host = await startHost(t)
    publishPin(host, publishRelease(host, { version: '1.5.0' }))
    const { home, poll, settings } = await makeMachine(t, host)
    assert.equal(saysOf(await poll({ apply: false })), 'install pinned 1.5.0')
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
    assert.deepEqual(host.drain(), ['version.json', PINNED, 'version.json', '1.5.0.bin'])
    assert.equal(whatRuns(home).answers, '1.5.0')
    assert.equal(fs.statSync(home.release).mode & 0o777, 0o600)
    assert.ok(confirmVersion(settings, '1.5.0'))
    assert.equal(saysOf(await poll()), 'up-to-date')

    publishPin(host, publishRelease(host, { version: '0.9.0' }), 11)
    assert.equal(saysOf(await poll()), 'swapped 0.9.0')
    assert.equal(whatRuns(home).answers, '0.9.0')
    assert.deepEqual(readLaunchRecord(home.current)?.previous, '1.5.0')
    confirmVersion(settings, '0.9.0')
    // Without the rule it goes with the others.
    publish(host, { version: '2.0.0', sequence: 12 })
    assert.equal(saysOf(await poll()), 'swapped 2.0.0')
  })

  test('is fetched anew when the kept copy is damaged or another one', async (t) => {
    const host = await startHost(t)
    const other = publishRelease(host, { version: '1.4.0' })
    publishPin(host, publishRelease(host, { version: '1.5.0' }))
    const { home, poll } = await makeMachine(t, host)
    await poll({ apply: false })
    const whole = fs.readFileSync(home.release)
    const foreign = Buffer.from(JSON.stringify(JSON.parse(whole.toString()), undefined, 1).replace('1.5.0', '1.6.0'))
    for (const damaged of ['', '{', 'null', '[]', whole.subarray(0, 100), foreign]) {
      fs.writeFileSync(home.release, damaged)
      host.drain()
      assert.equal(saysOf(await poll({ apply: false })), 'install pinned 1.5.0')
      assert.deepEqual(host.drain(), ['version.json', PINNED])
      assert.deepEqual(fs.readFileSync(home.release), whole)
    }
    publishPin(host, other, 11)
    assert.equal(saysOf(await poll()), 'swapped 1.4.0')
  })

  test('is checked at each use with the newest root: a revoked release key brings nothing any more', async (t) => {
    const host = await startHost(t)
    const ref = publishRelease(host, { version: '1.5.0' })
    publishPin(host, ref)
    const { home, poll } = await makeMachine(t, host)
    await poll({ apply: false })
    assert.ok(fs.existsSync(home.release))
    const keys = { ...defaultKeys(), release: [makeKey('release 2')] }
    publishPin(host, ref, 11, { keys, chain: makeRootChain(2, (version) => (version === 2 ? { keys } : {})) })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_SIGNATURE')
    assert.equal(whatRuns(home).answers, '1.0.0')
  })

  const rolloutKey = makeKey('rollout')
  const huge = { changelog: 'x'.repeat(16_384) }
  const FAULTS: readonly [what: string, code: string, fault: (host: Host) => JsonValue][] = [
    [
      'signed by the rollout key alone',
      'ERR_TRUST_SIGNATURE',
      (host) => publishRelease(host, { version: '1.5.0', manifest: { releaseSigners: [rolloutKey] } }),
    ],
    [
      'with another digest',
      'ERR_TRUST_BINDING',
      (host) => ({ ...publishRelease(host, { version: '1.5.0' }), release: sha256(Buffer.from('another')) }),
    ],
    [
      'of another version',
      'ERR_TRUST_TARGET',
      (host) => ({ ...publishRelease(host, { version: '1.4.0' }), version: '1.5.0' }),
    ],
    [
      'of another agent',
      'ERR_TRUST_TARGET',
      (host) => publishRelease(host, { version: '1.5.0', manifest: { release: { name: 'other-agent' } } }),
    ],
    [
      'larger than a manifest may be',
      'ERR_MANIFEST_TOO_LARGE',
      (host) => {
        const ref = publishRelease(host, { version: '1.5.0', manifest: { release: huge } })
        host.answer(PINNED, (_, response) => void response.end(Buffer.alloc(262_145, ' ')))
        return ref
      },
    ],
    [
      'that is no JSON',
      'ERR_MANIFEST_SYNTAX',
      (host) => {
        const ref = publishRelease(host, { version: '1.5.0' })
        host.serve(PINNED, Buffer.from('{'))
        return ref
      },
    ],
    [
      'that is not there',
      'ERR_NETWORK_STATUS',
      (host) => {
        const ref = publishRelease(host, { version: '1.5.0' })
        host.answers.delete(PINNED)
        return ref
      },
    ],
    [
      'whose URL leads elsewhere than the host may send anyone',
      'ERR_NETWORK_URL',
      (host) => ({ ...publishRelease(host, { version: '1.5.0' }), url: 'ftp://127.0.0.1/1.5.0.json' }),
    ],
  ]
  for (const [what, code, fault] of FAULTS) {
    test(`to a release ${what} fails the poll with ${code}, and the agent stays as it is`, async (t) => {
      const host = await startHost(t)
      publishPin(host, fault(host))
      const { home, poll, settings } = await makeMachine(t, host)
      const before = whatRuns(home)
      const error = await failureOf(() => poll())
      assert.equal(error.code, code, error.message)
      assert.deepEqual(whatRuns(home), before)
      assert.equal(fs.existsSync(home.release), false)
      // What the manifest itself taught is kept, and the sound release is taken as soon as it is there.
      assert.equal(loadState(home, settings.root, assert.fail).floors['stable']?.sequence, 10)
      publishPin(host, publishRelease(host, { version: '1.5.0' }), 11)
      assert.equal(saysOf(await poll()), 'swapped 1.5.0')
    })
  }

  test('that is the fallback as well and cannot be had fails the poll after one request, and not the others', async (t) => {
    const host = await startHost(t)
    const ref = publishRelease(host, { version: '1.5.0' })
    const sound = host.answers.get(PINNED)
    assert.ok(sound !== undefined)
    host.answers.delete(PINNED)
    publishPin(host, ref, 10, { rollout: { fallback: ref } })
    const { home, poll } = await makeMachine(t, host)
    assert.equal((await failureOf(() => poll())).code, 'ERR_NETWORK_STATUS')
    assert.deepEqual(host.drain(), ['version.json', PINNED])
    assert.equal(whatRuns(home).answers, '1.0.0')
    host.answers.set(PINNED, sound)
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
  })

  test('does not pass the rollback floor, nor the quarantine', async (t) => {
    const host = await startHost(t)
    publishPin(host, publishRelease(host, { version: '0.9.0' }))
    const { home, poll, settings } = await makeMachine(t, host)
    saveState(home, { ...loadState(home, settings.root, assert.fail), rollbackFloor: '1.0.0' })
    assert.equal(saysOf(await poll()), 'refuse below-floor 0.9.0')
    publishPin(host, publishRelease(host, { version: '1.5.0' }), 11)
    assert.equal(saysOf(await poll({ apply: false })), 'install pinned 1.5.0')
    const failed = { sha256: sha256(program('1.5.0')), version: '1.5.0', reason: 'tries', at: formatDate(NOW) }
    saveState(home, { ...loadState(home, settings.root, assert.fail), quarantine: [failed] })
    assert.equal(saysOf(await poll()), 'refuse quarantined 1.5.0')
  })

  test('to a version that fails its trial is quarantined by its hash; other bytes of that version are tried', async (t) => {
    const host = await startHost(t)
    publishPin(host, publishRelease(host, { version: '1.5.0' }))
    const { home, poll, settings, deps } = await makeMachine(t, host)
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
    assert.equal(rollBackVersion(home, '1.5.0', 'health'), '1.0.0')
    await settle(settings, deps)
    assert.deepEqual(
      loadState(home, settings.root, assert.fail).quarantine.map((entry) => entry.sha256),
      [sha256(program('1.5.0'))],
    )
    noteCheck(home, await poll(), NOW)
    assert.equal(agentStatus(settings).lastCheck?.reason, 'quarantined')
    assert.equal(agentStatus(settings).state, 'rolled-back')
    const rebuilt = { version: '1.5.0', artifact: program('1.5.0', 'exit 3') }
    publishPin(host, publishRelease(host, rebuilt), 11)
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
  })

  test('raises the rollback floor of its own release once that was confirmed', async (t) => {
    const host = await startHost(t)
    const manifest = { release: { rollback_floor: '1.2.0' } }
    publishPin(host, publishRelease(host, { version: '1.5.0', manifest }))
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    confirmVersion(settings, '1.5.0')
    assert.equal(loadState(home, settings.root, assert.fail).rollbackFloor, '1.2.0')
  })

  test('is refused by a pin of the host that has it not, and taken by one that has', async (t) => {
    const host = await startHost(t)
    publishPin(host, publishRelease(host, { version: '1.5.0' }))
    const outside = await makeMachine(t, host, { pin: '<1.5.0' })
    assert.equal(saysOf(await outside.poll()), 'refuse host-pin 2.0.0')
    const inside = await makeMachine(t, host, { pin: '>=1.5.0 <2.0.0' })
    assert.equal(saysOf(await inside.poll()), 'swapped 1.5.0')
    assert.equal(saysOf(await inside.poll()), 'up-to-date')
  })

  test('is what others are told of, what is approved, and what the files name', async (t) => {
    const host = await startHost(t)
    const image = `registry.example.com/agent@sha256:${'a'.repeat(64)}`
    const pin = publishRelease(host, { version: '1.5.0', manifest: { release: { container_image: image } } })
    publishPin(host, pin)
    const { home, poll, settings, deps } = await makeMachine(t, host, { approval: true, autoInstall: false })
    assert.equal(saysOf(await poll()), 'wait approval 1.5.0')
    const wrong = await failureOf(() => approveUpdate(settings, '2.0.0', deps))
    assert.deepEqual([wrong.code, wrong.details['offered']], ['ERR_POLICY_REFUSED', '1.5.0'])
    assert.deepEqual(await approveUpdate(settings, '1.5.0', deps), {
      version: '1.5.0',
      sha256: sha256(program('1.5.0')),
    })
    const found = await poll({ apply: false })
    noteAvailable(settings, found, '1.0.0', deps)
    const { version, container_image: told, reason } = readAvailable(home.available) ?? {}
    assert.deepEqual([version, told, reason], ['1.5.0', image, 'pinned'])
    await checkOnce(settings, { apply: false }, deps)
    assert.deepEqual(
      readHistory(home).map((line) => [line.kind, line.version, line.reason]),
      [
        ['installed', '1.0.0', undefined],
        ['approved', '1.5.0', undefined],
        ['install', '1.5.0', 'pinned'],
      ],
    )
    assert.match(fs.readFileSync(home.metrics, 'utf8'), /^moult_update_available\{.*\} 1$/m)
    assert.equal(agentStatus(settings).available?.version, '1.5.0')
    // Nothing is left to approve once it runs, whatever the manifest offers the others.
    await adopt(home, '1.5.0')
    writeLaunchRecord(home.disk, home.current, { version: '1.5.0' })
    const done = await failureOf(() => approveUpdate(settings, undefined, deps))
    assert.match(done.message, /^nothing to approve \(it runs already\): 1\.5\.0$/)
  })

  test('on another channel is found from the base of the files', async (t) => {
    const host = await startHost(t)
    const pin = publishRelease(host, { version: '1.5.0' })
    publishPin(host, pin, 10, { rollout: { channel: 'beta', base: '../' } })
    const answer = host.answers.get('version.json')
    assert.ok(answer !== undefined)
    host.answers.delete('version.json')
    host.answers.set('beta/version.json', answer)
    const { home, poll } = await makeMachine(t, host, { channel: 'beta' })
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
    assert.deepEqual(host.drain(), ['beta/version.json', PINNED, '1.5.0.bin'])
    assert.equal(whatRuns(home).answers, '1.5.0')
  })
})

describe('the fallback', { ...BOUNDED, concurrency: 4 }, () => {
  test('is what a new machine gets whose stage has not come, and then the release', async (t) => {
    const host = await startHost(t)
    publishStage(host, publishRelease(host, { version: '1.5.0' }))
    const path = join(makeDir(t), 'home')
    const root = join(makeDir(t), 'root.json')
    fs.writeFileSync(root, JSON.stringify(makeRoot()))
    const given = { home: path, root, settings: { server: host.url, deployment: 'vm' as const }, env: {} }
    const installed = await installAgent(given, { clock: () => NOW, emit: () => undefined })
    assert.equal(installed.version, '1.5.0')
    const machine = { home: homeAt(path), settings: settingsAt(homeAt(path), host) }
    const deps = { clock: () => NOW, emit: () => undefined }
    const held = await checkOnce(machine.settings, { apply: true }, deps)
    assert.equal(saysOf(held), 'wait stage 2.0.0')
    const later = { ...deps, clock: () => NOW + HOUR_MS }
    assert.equal(saysOf(await checkOnce(machine.settings, { apply: true }, later)), 'swapped 2.0.0')
  })

  test('updates an older agent that is held back, and nobody backwards', async (t) => {
    const host = await startHost(t)
    publishStage(host, publishRelease(host, { version: '1.5.0' }))
    const { poll, settings } = await makeMachine(t, host)
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
    confirmVersion(settings, '1.5.0')
    publishStage(host, publishRelease(host, { version: '0.9.0' }), 11)
    host.drain()
    assert.equal(saysOf(await poll()), 'wait stage 2.0.0')
    assert.deepEqual(host.drain(), ['version.json'])
  })

  test('that cannot be had is passed over with a warning', async (t) => {
    const host = await startHost(t)
    const fallback = publishRelease(host, { version: '1.5.0' })
    publishStage(host, fallback)
    const { home, poll, events } = await makeMachine(t, host)
    const sound = host.answers.get(PINNED)
    assert.ok(sound !== undefined)
    for (const broken of [undefined, '{', JSON.stringify(makeRoot())]) {
      host.answers.delete(PINNED)
      if (broken !== undefined) host.serve(PINNED, Buffer.from(broken))
      assert.equal(saysOf(await poll()), 'wait stage 2.0.0')
      const warning = events.findLast(({ kind }) => kind === 'warning')
      assert.match(JSON.stringify(warning), /release 1\.5\.0 cannot be had/)
    }
    assert.equal(whatRuns(home).answers, '1.0.0')
    host.answers.set(PINNED, sound)
    assert.equal(saysOf(await poll()), 'swapped 1.5.0')
  })

  test('is not offered to a host that holds itself back, and waits for the approval of a host that asks for one', async (t) => {
    const host = await startHost(t)
    publishStage(host, publishRelease(host, { version: '1.5.0' }))
    assert.equal(saysOf(await (await makeMachine(t, host, { percent: 0 })).poll()), 'wait stage 2.0.0')
    assert.equal(saysOf(await (await makeMachine(t, host, { pin: '<1.5.0' })).poll()), 'refuse host-pin 2.0.0')
    assert.equal(saysOf(await (await makeMachine(t, host, { pin: '<2.0.0' })).poll()), 'swapped 1.5.0')
    assert.equal(saysOf(await (await makeMachine(t, host, { approval: true })).poll()), 'wait approval 1.5.0')
  })
})
