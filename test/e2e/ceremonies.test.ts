// What happens to keys, told as stories. Each begins in the same world: root 9, three root keys of which two must sign,
// one key for releases and one for rollouts; an agent that is awake, one that has slept since root 1, and one that has
// slept since root 5. Every ceremony ends with all of them accepting the new manifest and refusing the thief's.

import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { Ceremony } from '../helpers/ceremony.ts'
import { readJson, Scene } from '../helpers/moult.ts'

const AGENTS = ['awake', 'asleep-since-1', 'asleep-since-5'] as const
/** For what takes many polls. */
const EXTREMES = ['awake', 'asleep-since-1'] as const
const BURNT = Number.MAX_SAFE_INTEGER

describe('the ceremonies', { timeout: 300_000 }, () => {
  let scene: Scene
  let first: Ceremony
  before(async () => {
    scene = new Scene('ceremonies')
    first = await Ceremony.begin(scene)
  })
  after(() => scene.close())

  test('from one key to separate ones: a project splits its roles, and its agents follow', async () => {
    // A project begins with one key in every role; two agents pin its root 1.
    const url = await first.serve()
    for (const agent of AGENTS) await first.install(agent, url)

    // Three people make a root key each, the release machine and the rollout job one of their own.
    await first.newKeys('alice', 'bob', 'carol', 'release', 'rollout')
    const old = await first.idOf('moult')
    const adds = ['alice', 'bob', 'carol'].flatMap((label) => ['--add', first.keyFile(label)])
    const rotate = ['root', 'rotate', '--role', 'root', '--remove', old, ...adds, '--threshold', '2']

    // A plan tells what would change and writes nothing.
    const plan = await first.moult(...rotate, '--plan')
    assert.match(plan.stdout, /root +2 of 3 must sign, instead of 1\n/)
    assert.deepEqual(readdirSync(join(first.dir, 'trust')), ['1.root.json'])

    // One draft takes all three changes.
    await first.moult(...rotate)
    await first.replaceKey('release', 'moult', 'release')
    await first.replaceKey('rollout', 'moult', 'rollout')
    await first.refused('ERR_TRUST_UNSIGNED', 'root', 'verify')

    // The old key allows it, and two of the new ones confirm that they exist.
    await first.coSign('moult', 'alice')
    const open = await first.refused('ERR_TRUST_THRESHOLD', 'root', 'verify')
    assert.equal(open.message, 'not complete: root 2 needs 1 more of the root keys of root 2')
    await first.refused('ERR_TRUST_THRESHOLD', 'root', 'publish')
    await first.coSign('carol')
    await first.moult('root', 'verify')

    // The live release is signed anew only by a key that is here, and only if it is named.
    await first.refused('ERR_TRUST_THRESHOLD', 'root', 'publish')
    await first.refused('ERR_CONFIG_KEY', 'root', 'publish', '--resign', '1.0.0')
    first.useKeys('release', 'rollout')
    const published = readFileSync(join(first.dir, 'updates', 'releases', '1.0.0.json'))
    await first.moult('root', 'publish', '--resign', '1.0.0')
    assert.deepEqual(readdirSync(join(first.dir, 'trust')), ['1.root.json', '2.root.json'])
    assert.deepEqual(readFileSync(join(first.dir, 'updates', 'releases', '1.0.0.json')), published)

    // The agent that is awake follows; what the old key signs means nothing to it any more.
    assert.deepEqual(await first.accepts('awake', url), { version: '1.0.0', sequence: 2, root: 2 })
    await first.forge({ release: 'moult', rollout: 'moult', version: '9.9.9', hidesRoots: true })
    await first.refuses('awake', await first.serve('mirror'), 'ERR_TRUST_SIGNATURE')
    rmSync(join(first.dir, 'mirror'), { recursive: true })

    // Everything that was published still verifies, and repeating a command changes nothing.
    await first.moult('verify')
    assert.match((await first.moult('root', 'publish')).stdout, /^Already in place: root 2/)
    assert.match((await first.moult('release', '1.0.0')).stdout, /^Already live: tide-gauge 1\.0\.0/)
  })

  test('nine roots: an agent that has slept since the first follows them all in one poll', async () => {
    // Year after year one root key is replaced. One agent looks in at root 5, another never.
    const url = await first.serve()
    let [leaving, second] = ['alice', 'bob']
    for (let version = 3; version <= 9; version += 1) {
      const fresh = `officer-${version}`
      await first.newKeys(fresh)
      await first.replaceKey('root', leaving, fresh)
      // Two that stay sign: they are enough before and after.
      await first.coSign(second, 'carol')
      await first.moult('root', 'publish')
      ;[leaving, second] = [second, fresh]
      if (version === 5) await first.accepts('asleep-since-5', url)
    }
    await first.release('1.1.0')

    // In a world apart, the one that has slept since root 1 wakes up: one poll takes it to root 9.
    const later = first.fork('nine roots')
    assert.equal((await later.status('asleep-since-1')).rootVersion, 1)
    const laterUrl = await later.serve()
    for (const agent of AGENTS) {
      const belief = await later.accepts(agent, laterUrl)
      assert.deepEqual([belief.version, belief.root], ['1.1.0', 9], agent)
    }
    assert.equal(later.live().trust?.length, 8)

    // A host that leaves one root out of the chain stops it there, and what was sound is kept.
    const gap = first.fork('a gap in the chain')
    const { trust = [], ...rest } = gap.live()
    const torn = { ...rest, trust: trust.filter(({ version }) => version !== 7) }
    writeFileSync(join(gap.dir, 'updates', 'version.json'), JSON.stringify(torn))
    const gapUrl = await gap.serve()
    await gap.refuses('asleep-since-1', gapUrl, 'ERR_TRUST_ROOT')
    assert.equal((await gap.status('asleep-since-1')).rootVersion, 6)
    writeFileSync(join(gap.dir, 'updates', 'version.json'), JSON.stringify({ ...rest, trust }))
    assert.equal((await gap.accepts('asleep-since-1', gapUrl)).root, 9)
  })

  test('an overlap: for a while the old and the new release key both count', async () => {
    // The new key is added first, and the old one removed when every machine that releases has the new one.
    const story = first.fork('overlap')
    const url = await story.serve()
    await story.newKeys('release-2')
    await story.moult('root', 'add-key', '--role', 'release', story.keyFile('release-2'))
    await story.coSign('officer-8', 'officer-9')
    await story.moult('root', 'publish')
    for (const [version, key] of [
      ['1.2.0', 'release'],
      ['1.3.0', 'release-2'],
    ] as const) {
      story.useKeys(key, 'rollout')
      await story.release(version)
      for (const agent of EXTREMES) assert.equal((await story.accepts(agent, url)).version, version, agent)
    }
    // The live release is by the new key already: the old one goes without anything being signed anew.
    await story.moult('root', 'remove-key', '--role', 'release', await story.idOf('release'))
    await story.coSign('officer-8', 'officer-9')
    assert.doesNotMatch((await story.moult('root', 'publish')).stdout, /signed by the present release keys/)
    assert.equal((await story.accepts('asleep-since-5', url)).root, 11)
  })

  test('a leaked release key: it is revoked, and what the thief signs is refused', async () => {
    // The release key leaks. With the rollout key too, the thief could offer a version of his own, and would be believed.
    const story = first.fork('leaked release key')
    const url = await story.serve()
    await story.forge({ release: 'release', rollout: 'rollout', version: '6.6.6' })
    const mirror = await story.serve('mirror')
    assert.equal((await story.fork('leaked release key, before').accepts('awake', mirror)).version, '6.6.6')

    // With the release key alone he cannot: the rollout of the live release is bound to another.
    await story.forge({ release: 'release', version: '6.6.6' })
    await story.refuses('awake', mirror, 'ERR_TRUST_BINDING')

    // Two root keys replace the release key.
    const before = readFileSync(join(story.dir, 'updates', 'version.json'))
    await story.newKeys('release-2')
    await story.replaceKey('release', 'release', 'release-2')
    await story.coSign('officer-8', 'officer-9')

    // The machine that publishes has the rollout key; the new release key is in a safe, and signs the live release there.
    const config = join(story.dir, 'moult.config.json')
    writeFileSync(config, JSON.stringify({ ...readJson(config), keys: { rollout: story.keyFile('rollout') } }))
    const told = await story.refused('ERR_TRUST_THRESHOLD', 'root', 'publish')
    assert.match(told.hint ?? '', /moult root sign-release/)
    const safe = story.scene.folder('safe')
    const carried = ['trust/draft.root.json', 'trust/9.root.json', 'updates/version.json', 'keys/release-2.key']
    for (const file of carried) cpSync(join(story.dir, file), join(safe, file))
    const signed = await scene.moultOk(
      ['root', 'sign-release', 'updates/version.json', '--key', 'keys/release-2.key', '--yes'],
      { cwd: safe },
    )
    assert.match(signed.stderr, /^Release 1\.1\.0 of tide-gauge, .*, digest [0-9a-f]{64}:$/m)
    cpSync(join(safe, 'trust', '1.1.0.release.json'), join(story.dir, 'trust', '1.1.0.release.json'))
    await story.moult('root', 'publish')

    // Everybody gets the same version as before, signed by the new key, whether they were awake or not.
    for (const agent of AGENTS) {
      const belief = await story.accepts(agent, url)
      assert.deepEqual([belief.version, belief.root], ['1.1.0', 10], agent)
    }
    // The thief signs on, with the rollout key as well, and with or without the chain of roots: nobody listens.
    for (const hidesRoots of [false, true]) {
      await story.forge({ release: 'release', rollout: 'rollout', version: '6.6.6', sequence: 1000, hidesRoots })
      for (const agent of EXTREMES) await story.refuses(agent, mirror, 'ERR_TRUST_SIGNATURE')
    }
    // Nor does it help to show the manifest of before the rotation, which was good then.
    writeFileSync(join(story.dir, 'mirror', 'version.json'), before)
    for (const agent of EXTREMES) await story.refuses(agent, mirror, 'ERR_TRUST_SIGNATURE')
    // The release document of old keeps its old signature, and the next release is made as ever.
    story.useKeys('release-2', 'rollout')
    assert.match((await story.moult('release', '1.1.0')).stdout, /^Already live/)
    await story.release('1.2.0')
    assert.equal((await story.accepts('asleep-since-1', url)).version, '1.2.0')
  })

  test('a thief who has put his own release live gets no new signature for it', async () => {
    // The release key and the rollout key are stolen, and the host is broken into: 6.6.6 is live.
    const story = first.fork('the thief is live')
    const url = await story.serve()
    await story.forge({ release: 'release', rollout: 'rollout', version: '6.6.6' }, 'updates')
    assert.equal((await story.accepts('awake', url)).version, '6.6.6')

    // Both keys are replaced. The publish does not sign 6.6.6 anew, unless a person were to name it.
    await story.newKeys('release-2', 'rollout-2')
    await story.replaceKey('release', 'release', 'release-2')
    await story.replaceKey('rollout', 'rollout', 'rollout-2')
    await story.coSign('officer-8', 'officer-9')
    story.useKeys('release-2', 'rollout-2')
    const told = await story.refused('ERR_TRUST_THRESHOLD', 'root', 'publish')
    assert.match(told.hint ?? '', /If it is not yours, use --keep-manifest, and release a newer version/)
    await story.refused('ERR_TRUST_THRESHOLD', 'root', 'publish', '--resign', '1.1.0')

    // So the root is put in place alone, and a version newer than the thief's carries it to everyone.
    await story.moult('root', 'publish', '--keep-manifest')
    await story.release('6.6.7')
    for (const agent of AGENTS) {
      const belief = await story.accepts(agent, url)
      assert.deepEqual([belief.version, belief.root], ['6.6.7', 10], agent)
    }
    await story.forge({ release: 'release', rollout: 'rollout', version: '6.6.8', sequence: 5000 })
    const mirror = await story.serve('mirror')
    for (const agent of EXTREMES) await story.refuses(agent, mirror, 'ERR_TRUST_SIGNATURE')
  })

  test('a leaked rollout key: numbers that a thief has used up are forgotten', async () => {
    // The thief pauses nothing: he states the live release with the highest number there is. No honest one can follow.
    const story = first.fork('leaked rollout key')
    const url = await story.serve()
    await story.forge({ rollout: 'rollout', sequence: BURNT }, 'updates')
    assert.equal((await story.accepts('awake', url)).sequence, BURNT)

    // He cannot introduce bytes with it: a release signed by it is refused.
    await story.forge({ release: 'rollout', rollout: 'rollout', version: '6.6.6', sequence: BURNT })
    const mirror = await story.serve('mirror')
    await story.refuses('awake', mirror, 'ERR_TRUST_SIGNATURE')

    // Two root keys replace the rollout key. The release stays as it is, so no release key is needed.
    await story.newKeys('rollout-2')
    await story.replaceKey('rollout', 'rollout', 'rollout-2')
    await story.coSign('officer-8', 'officer-9')
    await story.refused('ERR_CONFIG_KEY', 'root', 'publish')
    story.useKeys('release', 'rollout-2')
    await story.moult('root', 'publish')

    // Awake or asleep, all count anew.
    const restarted = Number(story.live().rollout['sequence'])
    assert.ok(restarted > 1_700_000_000 && restarted < BURNT / 1000)
    for (const agent of AGENTS)
      assert.deepEqual(await story.accepts(agent, url), { version: '1.1.0', sequence: restarted, root: 10 })
    await story.forge({ rollout: 'rollout', sequence: BURNT })
    for (const agent of EXTREMES) await story.refuses(agent, mirror, 'ERR_TRUST_SIGNATURE')
    await story.forge({ rollout: 'rollout', sequence: BURNT, hidesRoots: true })
    for (const agent of EXTREMES) await story.refuses(agent, mirror, 'ERR_TRUST_SIGNATURE')
    await story.release('1.2.0')
    assert.equal((await story.accepts('awake', url)).sequence, restarted + 1)
  })

  test('a lost root key, while enough others remain: it is replaced without it', async () => {
    // One of three root keys burns with its house. The two others can still do everything.
    const story = first.fork('lost root key')
    const url = await story.serve()
    await story.newKeys('officer-10')
    const lost = await story.idOf('carol')
    rmSync(join(story.dir, 'keys', 'carol.key'))
    await story.moult('root', 'rotate', '--role', 'root', '--remove', lost, '--add', story.keyFile('officer-10'))
    await story.coSign('officer-8', 'officer-9')
    await story.moult('root', 'publish')
    for (const agent of AGENTS) assert.equal((await story.accepts(agent, url)).root, 10, agent)

    // Had it been stolen instead, the thief alone could not have made a root.
    const stolen = first.fork('stolen root key')
    await stolen.newKeys('thief')
    await stolen.replaceKey('release', 'release', 'thief')
    await stolen.coSign('carol')
    const told = await stolen.refused('ERR_TRUST_THRESHOLD', 'root', 'verify')
    assert.match(told.message, /1 more of the root keys of root 9, and 1 more of the root keys of root 10/)
    const draft = readJson(join(stolen.dir, 'trust', 'draft.root.json'))
    const manifest = stolen.live()
    const forged = { ...manifest, trust: [...(manifest.trust ?? []), draft] }
    writeFileSync(join(stolen.dir, 'updates', 'version.json'), JSON.stringify(forged))
    const stolenUrl = await stolen.serve()
    for (const agent of AGENTS) {
      await stolen.refuses(agent, stolenUrl, 'ERR_TRUST_THRESHOLD')
      // The sound part of the chain was kept.
      assert.equal((await stolen.status(agent)).rootVersion, 9, agent)
    }
  })

  test('all root keys lost: releases go on, keys cannot be changed, and only a new pin by hand helps', async () => {
    // All root keys are gone. The release and rollout keys go on working until the root expires.
    const story = first.fork('all root keys lost')
    const url = await story.serve()
    await story.release('1.2.0')
    assert.equal((await story.accepts('awake', url)).version, '1.2.0')

    // Somebody begins again: new keys, a new root 1, a new place to publish.
    const again = scene.folder('all root keys lost', 'begun again')
    const run = (...args: string[]) => scene.moultOk(args, { cwd: again })
    for (const label of ['a', 'b', 'c', 'release', 'rollout']) await run('keys', 'new', `keys/${label}.key`)
    const keys = ['--keys', 'keys/a.key,keys/b.key,keys/c.key', '--threshold', '2']
    const online = ['--release-keys', 'keys/release.key', '--rollout-keys', 'keys/rollout.key']
    await run('root', 'init', '--name', 'tide-gauge', ...keys, ...online)
    for (const label of ['a', 'b']) await run('root', 'sign', '--key', `keys/${label}.key`, '--yes')
    await run('root', 'publish')
    const config = readJson(join(story.dir, 'moult.config.json'))
    const own = { release: 'keys/release.key', rollout: 'keys/rollout.key' }
    writeFileSync(join(again, 'moult.config.json'), JSON.stringify({ ...config, keys: own }))
    writeFileSync(join(again, 'agent.sh'), '#!/bin/sh\necho 2.0.0\n', { mode: 0o755 })
    await run('release', '2.0.0')
    const { url: newUrl } = await scene.serve(again)

    // No agent follows by itself, and none pins another root behind a person's back.
    for (const agent of EXTREMES) await story.refuses(agent, newUrl, 'ERR_TRUST_SIGNATURE')
    const home = story.homeOf('awake')
    const install = [
      'agent',
      'install',
      '--home',
      home,
      '--server',
      newUrl,
      '--root',
      join(again, 'trust', '1.root.json'),
    ]
    await story.refused('ERR_USAGE_EXISTS', ...install)

    // A person goes to the machine, removes the old pin with what was believed under it, and puts the new one in place.
    for (const file of ['root.json', 'state.json', 'state.json.bak']) rmSync(join(home, file))
    await story.moult(...install)
    assert.deepEqual(await story.accepts('awake', newUrl), { version: '2.0.0', sequence: 1, root: 1 })
  })
})
