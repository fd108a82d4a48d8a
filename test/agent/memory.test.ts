// What an agent still knows after files of its home were lost, put back, or written halfway.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import type { Home } from '../../agent/home/home.ts'
import { loadState } from '../../agent/home/state.ts'
import { type JsonObject, MANIFEST_MAX_BYTES } from '../../manifests/index.ts'
import { makeKey, makeRootChain } from '../fixtures/signed-manifest.ts'
import { BOUNDED, failureOf, makeMachine, type Offer, publish, startHost, whatRuns } from './field.ts'

const NEXT: Offer = { version: '1.0.1', sequence: 11 }
const confirm = (home: Home, version: string): void => {
  fs.writeFileSync(home.current, `version=${version}\nend\n`)
  fs.writeFileSync(home.confirmed, `version=${version}\nend\n`)
}

describe('the memory of an agent', { ...BOUNDED, concurrency: true }, () => {
  test('case 30: with both copies of the state gone, what was installed by a rollout is the floor', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    confirm(home, '1.0.1')
    publish(host, { version: '1.0.0', sequence: 12 })
    await poll()
    for (const path of [home.state, home.stateBackup]) fs.rmSync(path)
    publish(host, { version: '1.0.2', sequence: 10 })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_REPLAY')
    assert.equal(whatRuns(home).answers, '1.0.1')
    publish(host, { version: '1.0.2', sequence: 11 })
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).floors['stable']?.sequence, 11)
  })

  test('case 30: where no rollout installed anything there is no floor then, and an older version is still refused', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 10 })
    const { home, poll } = await makeMachine(t, host)
    await poll()
    for (const path of [home.state, home.stateBackup]) fs.rmSync(path)
    publish(host, { version: '0.9.0', sequence: 9 })
    const result = await poll()
    assert.ok(result.kind === 'checked' && result.decision.kind === 'refuse')
    assert.equal(result.decision.reason, 'downgrade')
    assert.equal(whatRuns(home).answers, '1.0.0')
    publish(host, { version: '1.0.1', sequence: 10 })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 30: with one copy of the state damaged the other is used, the loss is told, and a replay is refused', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { events, home, poll } = await makeMachine(t, host)
    await poll()
    fs.truncateSync(home.state)
    publish(host, { ...NEXT, sequence: 10 })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_REPLAY')
    assert.ok(events.some((event) => event.kind === 'warning' && event.message.includes('set aside')))
    assert.ok(fs.existsSync(`${home.state}.damaged`))
  })

  test('case 31: an older program in the place of the newer one is still held to the stored floor', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host)
    await poll()
    confirm(home, '1.0.0')
    publish(host, { version: '1.0.1', sequence: 10 })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_REPLAY')
    assert.equal(whatRuns(home).answers, '1.0.0')
    publish(host, { version: '1.0.1', sequence: 12 })
    assert.equal((await poll()).kind, 'swapped')
  })

  test('case 36: a root stays accepted after a restart, although the manifest that brought it was refused', async (t) => {
    const host = await startHost(t)
    const { home, poll, settings } = await makeMachine(t, host)
    const chain = makeRootChain(2)
    publish(host, { ...NEXT, manifest: { chain, releaseSigners: [makeKey('thief')] } })
    assert.equal((await failureOf(() => poll())).code, 'ERR_TRUST_SIGNATURE')
    // Each poll reads the state from the disk, as a new process does; the chain is not offered again.
    publish(host, NEXT)
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).root.version, 2)
  })

  test('case 38: of a hundred roots a poll takes 64, keeps them, and the next poll takes the rest', async (t) => {
    const host = await startHost(t)
    const compact = (document: JsonObject): string => JSON.stringify(document)
    publish(host, { ...NEXT, version: '1.0.0', manifest: { chain: makeRootChain(101), serialise: compact } })
    const { home, poll, settings } = await makeMachine(t, host)
    const versionAfter = async (): Promise<number> => {
      await poll()
      return loadState(home, settings.root, assert.fail).root.version
    }
    assert.deepEqual([await versionAfter(), await versionAfter(), await versionAfter()], [65, 101, 101])
  })

  test('case 38: a thousand roots are more than a manifest may hold', async (t) => {
    const host = await startHost(t)
    const { home, poll } = await makeMachine(t, host)
    const [root] = makeRootChain(2)
    const serialise = (document: JsonObject): string => JSON.stringify(document)
    publish(host, { ...NEXT, manifest: { chain: Array.from({ length: 999 }, () => root ?? null), serialise } })
    assert.equal((await failureOf(() => poll())).code, 'ERR_MANIFEST_TOO_LARGE')
    assert.equal(fs.existsSync(home.state), false)
    publish(host, { ...NEXT, manifest: { chain: Array.from({ length: 64 }, () => root ?? null), serialise } })
    assert.equal((await poll()).kind, 'swapped')
    assert.ok(fs.statSync(home.manifest).size < MANIFEST_MAX_BYTES)
  })

  test('case 42: after a power cut between the new root and all else, the next poll goes on from that root', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.0', sequence: 10 })
    const { home, poll, settings } = await makeMachine(t, host)
    await poll()
    const files = [home.state, home.stateBackup, home.manifest]
    const save = (): Map<string, Buffer> => new Map(files.map((path) => [path, fs.readFileSync(path)]))
    const old = save()
    publish(host, { version: '1.0.0', sequence: 11, manifest: { chain: makeRootChain(3) } })
    await poll()
    const now = save()
    // Each file is old or new: every state that the order of the writes could leave, and those that it could not.
    for (let mask = 0; mask < 2 ** files.length; mask += 1) {
      for (const [index, path] of files.entries()) {
        fs.writeFileSync(path, (mask & (1 << index) ? now : old).get(path) ?? '')
      }
      const isNew = (mask & 1) !== 0
      assert.equal(loadState(home, settings.root, assert.fail).root.version, isNew ? 3 : 1, `${mask}`)
      assert.equal((await poll()).kind, 'checked', `${mask}`)
      const state = loadState(home, settings.root, assert.fail)
      assert.deepEqual([state.root.version, state.floors['stable']?.sequence], [3, 11], `${mask}`)
      assert.deepEqual(fs.readFileSync(home.stateBackup), fs.readFileSync(home.state), `${mask}`)
    }
    // The manifest after the cut: root 2 is behind, root 4 is the next.
    publish(host, { version: '1.0.1', sequence: 12, manifest: { chain: makeRootChain(4) } })
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(loadState(home, settings.root, assert.fail).root.version, 4)
  })
})
