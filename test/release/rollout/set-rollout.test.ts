import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  type JsonObject,
  NO_FLOOR,
  parseStrictJson,
  type Release,
  RELEASE_UNSIGNED,
  type Rollout,
  ROLLOUT_UNSIGNED,
  sha256,
  statementDigest,
  verifyManifest,
} from '../../../manifests/index.ts'
import { documentBytes } from '../../../release/document-bytes.ts'
import { setRollout, verifyPublished } from '../../../release/index.ts'
import { signDocument } from '../../../release/sign.ts'
import { failsWith, makeProject, snapshot, writeTree } from '../project-fixture.ts'
import { makeSplitProject, SIGNERS } from '../split-project.ts'

type Published = Release & JsonObject & { rollout: Rollout & JsonObject }

test('what the release machine prepares without the rollout key, the rollout machine offers without the release key', async (t) => {
  const { updates, root, release, rollout } = await makeSplitProject(t)
  const prepared = await release('1.0.0', { rollout: false })
  assert.deepEqual([prepared.kind, prepared.rollout], ['prepared', undefined])
  assert.deepEqual(Object.keys(await snapshot(updates)), [
    'bin/1.0.0/probe-darwin-arm64',
    'bin/1.0.0/probe-linux-amd64',
    'bin/1.0.0/provenance.intoto.json',
    'bin/1.0.0/sbom.cdx.json',
    'releases/1.0.0.json',
    'trust/1.root.json',
  ])
  const before = await snapshot(updates)
  const offered = await rollout.set({ version: '1.0.0', percent: 5 })
  assert.deepEqual([offered.kind, offered.rollout?.sequence], ['published', 1])
  const { 'version.json': manifest = '', '.attempted.json': note, 'feed.atom': feed, ...rest } = await snapshot(updates)
  assert.ok(manifest !== '' && note === manifest && feed !== undefined)
  const history = `history/${sha256(Buffer.from(manifest, 'base64'))}.json`
  assert.deepEqual(rest, { ...before, [history]: manifest }, 'the rollout machine changed something else')
  assert.equal((await verifyPublished({ place: updates, root })).version, '1.0.0')
})

test('each machine is refused the work of the other, with the command that it can run', async (t) => {
  const { updates, config, release, rollout } = await makeSplitProject(t)
  await assert.rejects(release('1.0.0'), (error: unknown) => {
    return (
      failsWith('ERR_CONFIG_KEY', /no such key file/)(error) && /--no-rollout/.test((error as { hint: string }).hint)
    )
  })
  assert.equal(existsSync(updates), false)
  await release('1.0.0', { rollout: false })
  await assert.rejects(rollout.set({ version: '1.0.0', config }), failsWith('ERR_CONFIG_KEY'))
})

test('a release that waits for its rollout is not changed by a second build', async (t) => {
  const { updates, release, writeAgents } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  const before = await snapshot(updates)
  await writeAgents('echo another build')
  assert.equal((await release('1.0.0', { rollout: false })).kind, 'prepared')
  assert.deepEqual(await snapshot(updates), before)
})

test('a plan of either half changes nothing', async (t) => {
  const { updates, release, rollout } = await makeSplitProject(t)
  assert.equal((await release('1.0.0', { rollout: false, plan: true })).kind, 'planned')
  assert.equal(existsSync(updates), false)
  await release('1.0.0', { rollout: false })
  const before = await snapshot(updates)
  const plan = await rollout.set({ version: '1.0.0', plan: true })
  assert.deepEqual(
    plan.files.map(({ path, action }) => `${action} ${path}`),
    [
      'keep bin/1.0.0/probe-linux-amd64',
      'keep bin/1.0.0/probe-darwin-arm64',
      'keep bin/1.0.0/sbom.cdx.json',
      'keep bin/1.0.0/provenance.intoto.json',
      'keep releases/1.0.0.json',
      'keep trust/1.root.json',
      `write history/${plan.files.find(({ path }) => path === 'version.json')?.sha256}.json`,
      'write version.json',
      'write feed.atom',
    ],
  )
  assert.deepEqual(await snapshot(updates), before)
})

test('of the live version the terms that are not given stay, and each statement has the next sequence', async (t) => {
  const { updates, release, rollout } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await rollout.set({ version: '1.0.0', percent: 5, expires: '30d' })
  await rollout.set({ version: '1.0.0' })
  const read = async (): Promise<Rollout> =>
    (JSON.parse(await readFile(join(updates, 'version.json'), 'utf8')) as Published).rollout
  const renewed = await read()
  assert.deepEqual([renewed.sequence, renewed.stages.map(({ percent }) => percent)], [2, [5]])
  await rollout.set({ version: '1.0.0', stages: '0h:10%,1h:50%' })
  assert.deepEqual(
    (await read()).stages.map(({ percent }) => percent),
    [10, 50],
  )
})

test('a pause stays when the live version gets other stages', async (t) => {
  const { updates, release, rollout } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await rollout.set({ version: '1.0.0' })
  const path = join(updates, 'version.json')
  const { rollout: live, ...rest } = JSON.parse(await readFile(path, 'utf8')) as Published
  const paused = await signDocument({ ...live, paused: true, sequence: 2 }, ROLLOUT_UNSIGNED, [SIGNERS.rollout])
  await writeFile(path, documentBytes({ ...rest, rollout: paused }))
  await rollout.set({ version: '1.0.0', percent: 50 })
  const after = (JSON.parse(await readFile(path, 'utf8')) as Published).rollout
  assert.deepEqual([after.paused, after.sequence, after.stages[0]?.percent], [true, 3, 50])
})

test('case 43: with the rollout key alone no changed byte is accepted: not in the release, not by another binding', async (t) => {
  const { updates, root, release, rollout, writeAgents } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await writeAgents('echo 2')
  await release('1.1.0', { rollout: false })
  await rollout.set({ version: '1.0.0' })
  const manifest = JSON.parse(await readFile(join(updates, 'version.json'), 'utf8')) as Published
  const other = JSON.parse(await readFile(join(updates, 'releases/1.1.0.json'), 'utf8')) as JsonObject
  /** Everything that the thief of the rollout key can sign. */
  const verdict = async (document: JsonObject, changes: JsonObject = {}): Promise<string> => {
    const { signatures: _, ...statement } = manifest.rollout
    const bound = { release: statementDigest(document, RELEASE_UNSIGNED), ...changes }
    const signed = await signDocument({ ...statement, ...bound }, ROLLOUT_UNSIGNED, [SIGNERS.rollout])
    const bytes = documentBytes({ ...document, rollout: signed })
    const result = verifyManifest(bytes, { root, channel: 'stable', floor: NO_FLOOR }, Date.now())
    return result.kind === 'accepted' ? 'accepted' : result.error.code
  }
  const { rollout: _rollout, ...own } = manifest
  assert.equal(await verdict(own as JsonObject), 'accepted')
  assert.equal(await verdict(other), 'accepted', 'another released version is within the power of the key')
  const evil = structuredClone(own) as unknown as { binaries: Record<string, { sha256: string; url: string }> }
  for (const change of [{ sha256: '0'.repeat(64) }, { url: 'https://evil.example.com/agent' }, { size: 1 }]) {
    const binaries = { ...evil.binaries, 'linux-amd64': { ...evil.binaries['linux-amd64'], ...change } }
    assert.equal(await verdict({ ...own, binaries }), 'ERR_TRUST_SIGNATURE', JSON.stringify(change))
  }
  const resigned = await signDocument({ ...own, version: '9.9.9' }, RELEASE_UNSIGNED, [SIGNERS.rollout])
  assert.equal(await verdict(resigned), 'ERR_TRUST_SIGNATURE')
  assert.equal(await verdict({ ...own, signatures: [] }), 'ERR_TRUST_UNSIGNED')
  assert.equal(await verdict(own as JsonObject, { release: '0'.repeat(64) }), 'ERR_TRUST_BINDING')
  assert.equal(await verdict(own as JsonObject, { name: 'other' }), 'ERR_TRUST_TARGET')
  assert.equal(await verdict(own as JsonObject, { channel: 'beta' }), 'ERR_TRUST_TARGET')
})

test('case 43: rollout set refuses a release that the release role has not signed, and writes nothing', async (t) => {
  const { updates, release, rollout } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  const path = join(updates, 'releases/1.0.0.json')
  const text = await readFile(path, 'utf8')
  const document = parseStrictJson(Buffer.from(text)) as JsonObject
  const byRollout = await signDocument(document, RELEASE_UNSIGNED, [SIGNERS.rollout])
  for (const [bytes, code] of [
    [documentBytes(byRollout), 'ERR_TRUST_SIGNATURE'],
    [documentBytes({ ...document, signatures: [] }), 'ERR_TRUST_UNSIGNED'],
    [Buffer.from(text.replace(/"size": \d+/, '"size": 1')), 'ERR_TRUST_SIGNATURE'],
    [Buffer.from('<html>'), 'ERR_MANIFEST_SYNTAX'],
  ] as const) {
    await writeFile(path, bytes)
    const before = await snapshot(updates)
    await assert.rejects(rollout.set({ version: '1.0.0' }), failsWith(code))
    assert.deepEqual(await snapshot(updates), before)
  }
  await writeFile(path, text)
  assert.equal((await rollout.set({ version: '1.0.0' })).kind, 'published')
})

test('a release document under the name of another version is refused', async (t) => {
  const { updates, release, rollout, writeAgents } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await writeAgents('echo 2')
  await release('1.1.0', { rollout: false })
  await writeFile(join(updates, 'releases/1.1.0.json'), await readFile(join(updates, 'releases/1.0.0.json')))
  await assert.rejects(rollout.set({ version: '1.1.0' }), failsWith('ERR_TRUST_TARGET'))
})

test('a version that was not released, or whose artifacts are missing or damaged, is not offered', async (t) => {
  const { dir, updates, release, rollout } = await makeSplitProject(t)
  await assert.rejects(rollout.set({ version: '1.0.0' }), failsWith('ERR_USAGE_INVALID', /no such release/))
  await release('1.0.0', { rollout: false })
  const artifact = 'updates/bin/1.0.0/probe-darwin-arm64'
  for (const spoil of [
    () => rm(join(dir, artifact)),
    () => writeTree(dir, { [artifact]: '#!/bin/sh\n# darwin-arm64\necho 2\n' }),
  ]) {
    await spoil()
    await assert.rejects(rollout.set({ version: '1.0.0' }), failsWith('ERR_PUBLISH_FAILED', /missing or damaged/))
    assert.equal(existsSync(join(updates, 'version.json')), false)
  }
  await release('1.0.0', { rollout: false })
  assert.equal((await rollout.set({ version: '1.0.0' })).kind, 'published')
})

test('a version older than the live one is refused, and so is one by a clock behind its release', async (t) => {
  const { release, rollout, writeAgents } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await writeAgents('echo 2')
  await release('1.1.0', { rollout: false })
  const now = (): number => Date.now() - 3_600_000
  await assert.rejects(rollout.set({ version: '1.1.0' }, { now }), failsWith('ERR_TRUST_DATE', /in the future/))
  await rollout.set({ version: '1.1.0' })
  await assert.rejects(rollout.set({ version: '1.0.0' }), failsWith('ERR_POLICY_REFUSED'))
})

test('a rollout and a release at once: the one that does not hold the lock fails, and no sequence is used twice', async (t) => {
  const { config, release, readJson, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await writeAgents('echo 2')
  const outcomes = await Promise.allSettled([
    release('1.0.1'),
    setRollout({ config, version: '1.0.0', percent: 10 }, { env: {} }),
    setRollout({ config, version: '1.0.0', percent: 20 }, { env: {} }),
  ])
  const won = outcomes.filter(({ status }) => status === 'fulfilled').length
  assert.ok(won >= 1)
  for (const outcome of outcomes) {
    const { code } = (outcome.status === 'rejected' ? outcome.reason : {}) as { code?: string }
    assert.ok([undefined, 'ERR_PUBLISH_CONFLICT', 'ERR_POLICY_REFUSED'].includes(code), code)
  }
  assert.equal((await readJson<Published>('updates/version.json')).rollout.sequence, 1 + won)
})

test('case 100: a release below the threshold of its role is refused before anything is built or uploaded', async (t) => {
  const { updates, change, release } = await makeSplitProject(t, { releaseThreshold: 2 })
  await change({ keys: { release: 'keys/release.key' }, build: { type: 'command', command: 'false' } })
  await assert.rejects(release('1.0.0', { rollout: false }), (error: unknown) => {
    const { hint, details } = error as { hint: string; details: { missing: string[] } }
    assert.deepEqual(details.missing, [SIGNERS.second.keyId])
    return failsWith('ERR_CONFIG_KEY', /1 of 2 keys are here/)(error) && hint.includes(SIGNERS.second.keyId)
  })
  assert.equal(existsSync(updates), false)
})

test('case 100: two keys of a role on one machine meet its threshold', async (t) => {
  const { updates, root, release, rollout } = await makeSplitProject(t, { releaseThreshold: 2 })
  await release('1.0.0', { rollout: false })
  await rollout.set({ version: '1.0.0' })
  assert.equal((await verifyPublished({ place: updates, root })).version, '1.0.0')
})

test('case 100: a signing that fails half-way uploads nothing', async (t) => {
  const { dir, updates, release, change } = await makeSplitProject(t, { releaseThreshold: 2 })
  await writeTree(dir, { 'kms.sh': '#!/bin/sh\ncat >/dev/null; exit 3\n' })
  const second = { command: ['./kms.sh'], public: Buffer.from(SIGNERS.second.publicKey).toString('base64') }
  await change({ keys: { release: ['keys/release.key', second] } })
  await assert.rejects(release('1.0.0', { rollout: false }), failsWith('ERR_CONFIG_KEY', /exit status 3/))
  assert.deepEqual(Object.keys(await snapshot(updates)), [])
})
