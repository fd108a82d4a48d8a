import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { encodeBase64, type JsonObject, type RoleName } from '../../../manifests/index.ts'
import { readReleaseToSign, readRoots, setRollout, signRelease, verifyPublished } from '../../../release/index.ts'
import { changeRoot } from '../../../release/roots/draft-root.ts'
import { publishRoot, type PublishRootOptions } from '../../../release/roots/publish-root.ts'
import { reviewDraft, signDraft } from '../../../release/roots/sign-draft.ts'
import { readKeyFile } from '../../../release/signers/key-file.ts'
import type { Signer } from '../../../release/signers/signer.ts'
import { failsWith, type Fixture, makeProject, snapshot } from '../project-fixture.ts'
import { idOf, keyOf, signer } from './root-fixture.ts'
import { makeKey } from '../../fixtures/signed-manifest.ts'

/** A project of one key with a released version, and a way to replace that key in some roles. */
async function makeCeremony(t: TestContext) {
  const project = await makeProject(t)
  await project.release('1.0.0')
  const { dir, config } = project
  const file = join(dir, 'trust', 'draft.root.json')
  const old = await readKeyFile(join(dir, 'keys', 'moult.key'))
  return {
    ...project,
    file,
    old,
    draft: async (roles: readonly RoleName[], fresh: string) => {
      const edits = roles.flatMap((role) => [
        { kind: 'add' as const, role, key: keyOf(fresh) },
        { kind: 'remove' as const, role, id: old.keyId },
      ])
      await changeRoot({ config, edits })
    },
    sign: async (...signers: readonly Signer[]) => {
      for (const one of signers) await signDraft(await reviewDraft({ config }), one)
    },
    publish: (options: PublishRootOptions = {}, env: Record<string, string> = {}) =>
      publishRoot({ config, ...options }, { env }),
    keyEnv: (label: string) => ({ MOULT_KEY: encodeBase64(makeKey(label).seed) }),
  }
}

async function assertVerifies({ dir, updates }: Fixture, channel = 'stable'): Promise<void> {
  const [root] = await readRoots(join(dir, 'trust', '1.root.json'), 'probe')
  await verifyPublished({ place: updates, root, channel })
}

test('every channel carries the new root, and keeps the terms of its rollout', async (t) => {
  const ceremony = await makeCeremony(t)
  const { release, writeAgents, draft, sign, publish, old, readJson, updates } = ceremony
  await writeAgents('echo 2')
  await release('2.0.0-beta.1', { channel: 'beta', stages: '0h:5%,24h:25%' })
  const before = await readJson<{ rollout: JsonObject }>('updates/beta/version.json')
  await draft(['root'], 'fresh')
  await sign(old, signer('fresh'))
  const { kind, channels } = await publish()
  assert.equal(kind, 'published')
  assert.deepEqual(
    channels.map(({ channel, version, rollout, isSignedAnew }) => [channel, version, rollout?.sequence, isSignedAnew]),
    [
      ['beta', '2.0.0-beta.1', 2, false],
      ['stable', '1.0.0', 2, false],
    ],
  )
  const { rollout, trust } = await readJson<{ rollout: JsonObject; trust: JsonObject[] }>('updates/beta/version.json')
  assert.deepEqual(rollout['stages'], before.rollout['stages'])
  assert.equal(rollout['previous'] === undefined, false)
  assert.deepEqual(trust, [await readJson('trust/2.root.json')])
  assert.deepEqual(
    await readFile(join(updates, 'trust/2.root.json')),
    await readFile(join(ceremony.dir, 'trust/2.root.json')),
  )
  await assertVerifies(ceremony)
  await assertVerifies(ceremony, 'beta')
  assert.equal((await publish()).kind, 'unchanged')
})

test('a plan changes nothing, and tells what would stop it', async (t) => {
  const { dir, draft, sign, publish, old, keyEnv } = await makeCeremony(t)
  await draft(['release', 'rollout'], 'fresh')
  await sign(old)
  const before = await snapshot(dir)
  const blocked = await publish({ plan: true })
  assert.deepEqual([blocked.kind, blocked.blocked?.code], ['planned', 'ERR_TRUST_THRESHOLD'])
  const plan = await publish({ plan: true, resign: '1.0.0' }, keyEnv('fresh'))
  assert.deepEqual([plan.kind, plan.blocked, plan.channels[0]?.isSignedAnew], ['planned', undefined, true])
  const written = plan.channels[0]?.files.map(({ path, action }) => `${action} ${path}`) ?? []
  assert.deepEqual(written.slice(-5), [
    'keep releases/1.0.0.json',
    'keep trust/1.root.json',
    'write trust/2.root.json',
    `write history/${plan.channels[0]?.files.at(-1)?.sha256}.json`,
    'write version.json',
  ])
  assert.deepEqual(await snapshot(dir), before)
})

test('without the keys on this machine nothing is written, and it is said where to go', async (t) => {
  const { dir, draft, sign, publish, old } = await makeCeremony(t)
  await draft(['rollout'], 'fresh')
  await sign(old)
  const before = await snapshot(dir)
  await assert.rejects(publish(), (error: { code?: string; hint?: string }) => {
    assert.equal(error.code, 'ERR_CONFIG_KEY')
    assert.match(error.hint ?? '', new RegExp(`Root 2 needs 1 of ${idOf('fresh')} in .keys\\.rollout.*carry the draft`))
    return true
  })
  assert.deepEqual(await snapshot(dir), before)
})

test('an incomplete draft is not published', async (t) => {
  const { dir, draft, sign, publish, old } = await makeCeremony(t)
  await draft(['root'], 'fresh')
  await assert.rejects(publish(), failsWith('ERR_TRUST_UNSIGNED'))
  await sign(old)
  await assert.rejects(publish(), failsWith('ERR_TRUST_THRESHOLD', /1 more of the root keys of root 2$/))
  assert.deepEqual(await readdir(join(dir, 'trust')), ['1.root.json', 'draft.root.json'])
})

test('a run that was stopped after the root was kept is finished by the next', async (t) => {
  const ceremony = await makeCeremony(t)
  const { dir, draft, sign, publish, old, file, readJson } = ceremony
  await draft(['root'], 'fresh')
  await sign(old, signer('fresh'))
  const live = await readFile(join(dir, 'updates/version.json'))
  await cp(file, join(dir, 'trust', '2.root.json'))
  const { kind, channels } = await publish()
  assert.deepEqual([kind, channels.length], ['published', 1])
  assert.equal((await readJson<{ trust: unknown[] }>('updates/version.json')).trust.length, 1)
  assert.deepEqual(await readdir(join(dir, 'trust')), ['1.root.json', '2.root.json'])
  assert.notDeepEqual(await readFile(join(dir, 'updates/version.json')), live)
})

test('a root is never overwritten', async (t) => {
  const { dir, draft, sign, publish, old } = await makeCeremony(t)
  await draft(['root'], 'fresh')
  await sign(old, signer('fresh'))
  const other = await makeCeremony(t)
  await cp(join(other.dir, 'trust/1.root.json'), join(dir, 'updates/trust/2.root.json'))
  await assert.rejects(publish(), failsWith('ERR_PUBLISH_EXISTS', /trust\/2\.root\.json/))
})

test('without a configuration the root is put in place, and no manifest is touched', async (t) => {
  const { dir, updates, draft, sign, old, file } = await makeCeremony(t)
  await draft(['root'], 'fresh')
  await sign(old, signer('fresh'))
  const before = await snapshot(updates)
  const { target, channels } = await publishRoot({ config: join(dir, 'moult.config.json'), keepManifest: true })
  assert.deepEqual([target, channels], [undefined, []])
  assert.deepEqual(await snapshot(updates), before)
  assert.deepEqual(await readdir(join(dir, 'trust')), ['1.root.json', '2.root.json'])
  await assert.rejects(readFile(file))
})

test('a release that began before a rotation does not take the root out again', async (t) => {
  const { dir, draft, sign, publish, old, release, writeAgents } = await makeCeremony(t)
  await draft(['root'], 'fresh')
  await sign(old, signer('fresh'))
  await publish()
  const late = join(dir, 'trust', '2.root.json')
  const kept = await readFile(late)
  await rm(late)
  await writeAgents('echo 2')
  await assert.rejects(
    release('1.0.1'),
    failsWith('ERR_PUBLISH_CONFLICT', /root 2 is live, and root 1 the newest here/),
  )
  await writeFile(late, kept)
  assert.equal((await release('1.0.1')).rollout?.sequence, 3)
})

test('old signatures that still count under the new release keys stay; nothing is asked of the release key', async (t) => {
  const ceremony = await makeCeremony(t)
  const { config, sign, publish, old, readJson } = ceremony
  const before = await readJson<{ signatures: unknown }>('updates/version.json')
  await changeRoot({ config, edits: [{ kind: 'add', role: 'release', key: keyOf('second') }] })
  await sign(old)
  const { channels } = await publish()
  assert.equal(channels[0]?.isSignedAnew, false)
  assert.deepEqual((await readJson<{ signatures: unknown }>('updates/version.json')).signatures, before.signatures)
  await assertVerifies(ceremony)
})

test('a version that was prepared before a rotation is offered once it is signed anew', async (t) => {
  const ceremony = await makeCeremony(t)
  const { dir, config, release, writeAgents, draft, sign, publish, old, keyEnv, read, readJson } = ceremony
  await writeAgents('echo 2')
  await release('1.0.1', { rollout: false })
  await draft(['release'], 'fresh')
  await sign(old)
  const seed = { FRESH: keyEnv('fresh').MOULT_KEY }
  await ceremony.change({ keys: { release: { env: 'FRESH' } } })
  await publish({ resign: '1.0.0' }, seed)

  const offer = () => setRollout({ config, version: '1.0.1' }, { env: {} })
  await assert.rejects(offer(), (error: { code?: string; hint?: string }) => {
    assert.equal(error.code, 'ERR_TRUST_SIGNATURE')
    assert.match(error.hint ?? '', /moult root sign-release/)
    return true
  })
  const file = join(dir, 'updates/releases/1.0.1.json')
  const before = await read('updates/releases/1.0.1.json')
  const signed = await signRelease(await readReleaseToSign({ release: file, config }), signer('fresh'))
  assert.deepEqual([signed.signed, signed.threshold], [1, 1])
  assert.equal((await offer()).kind, 'published')
  const { version, signatures } = await readJson<{ version: string; signatures: { key: string }[] }>(
    'updates/version.json',
  )
  assert.deepEqual([version, signatures.map(({ key }) => key)], ['1.0.1', [idOf('fresh')]])
  assert.equal(await read('updates/releases/1.0.1.json'), before)
  await assertVerifies(ceremony)
})

test('only what was released once is signed anew, and only by a release key', async (t) => {
  const { dir, config, updates, draft } = await makeCeremony(t)
  await draft(['release'], 'fresh')
  const release = join(updates, 'releases/1.0.0.json')
  const what = await readReleaseToSign({ release, config })
  await assert.rejects(
    signRelease(what, signer('stranger')),
    failsWith('ERR_CONFIG_KEY', /not a release key of root 2/),
  )
  const forged = { ...(JSON.parse(await readFile(release, 'utf8')) as JsonObject), version: '6.6.6' }
  await writeFile(join(dir, 'forged.json'), JSON.stringify(forged))
  const read = readReleaseToSign({ release: join(dir, 'forged.json'), config })
  await assert.rejects(read, failsWith('ERR_TRUST_SIGNATURE', /no release keys of this project/))
  assert.deepEqual(await readdir(join(dir, 'trust')), ['1.root.json', 'draft.root.json'])
})
