import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  type JsonObject,
  parseStrictJson,
  RELEASE_UNSIGNED,
  sha256,
  statementDigest,
} from '../../../manifests/index.ts'
import { readRoots, setRollout, verifyPublished } from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject, snapshot, writeTree } from '../project-fixture.ts'
import {
  assertWhole,
  changeLive,
  pathsOf,
  pruneOf,
  publisherOf,
  releaseEach,
  SMALL,
  versionsIn,
  whyOf,
} from './prune-place.ts'

/** Of the release statement, as rollouts name it. */
async function digestOf({ updates }: Fixture, version: string): Promise<string> {
  const document = parseStrictJson(await readFile(join(updates, `releases/${version}.json`))) as JsonObject
  return statementDigest(document, RELEASE_UNSIGNED)
}

const DAY_MS = 24 * 3_600_000

test('the live release and those before it stay, and of the others everything goes, oldest and document first', async (t) => {
  const project = await makeProject(t)
  await releaseEach(project, ['1.0.9', '1.0.10', '1.0.11', '1.0.12'])
  const before = await snapshot(project.updates)
  const plan = await pruneOf(project, { keep: 2, plan: true })
  assert.equal(plan.kind, 'planned')
  assert.deepEqual(await snapshot(project.updates), before)
  // Sorted as versions are, not as text.
  const going = ['1.0.9', '1.0.10'].flatMap((version) => [
    `releases/${version}.json`,
    ...plan.files
      .map(({ path }) => path)
      .filter((path) => path.startsWith(`bin/${version}/`))
      .toSorted(),
  ])
  assert.ok(going.length >= 6)
  assert.deepEqual(pathsOf(plan, 'remove'), going)
  assert.deepEqual(pathsOf(plan, 'unknown'), [])
  assert.equal(whyOf(plan, 'releases/1.0.12.json'), 'keep: live on stable')
  assert.equal(whyOf(plan, 'releases/1.0.11.json'), 'keep: named by the rollout of stable')
  assert.equal(whyOf(plan, 'releases/1.0.9.json'), 'remove: needed by no manifest')
  assert.equal(whyOf(plan, 'trust/1.root.json'), 'keep: root document')
  assert.deepEqual(
    plan.files.map(({ size }) => size > 0),
    plan.files.map(() => true),
  )

  const done = await pruneOf(project, { keep: 2 })
  assert.deepEqual([done.kind, pathsOf(done, 'remove')], ['pruned', going])
  const publisher = await publisherOf(project)
  assert.deepEqual(await versionsIn(publisher), ['1.0.11', '1.0.12'])
  for (const path of going) assert.equal(await publisher.digest(path), undefined)
  await assertWhole(project, publisher)
  assert.equal((await pruneOf(project, { keep: 2 })).kind, 'unchanged')
})

test('by default ten stay', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(
    project,
    Array.from({ length: 11 }, (_, patch) => `1.0.${patch}`),
  )
  assert.deepEqual(pathsOf(await pruneOf(project), 'remove'), ['releases/1.0.0.json', 'bin/1.0.0/probe-linux-amd64'])
})

test('case 98: what the live manifest and the one before it name stays, and less cannot be asked for', async (t) => {
  const project = await makeProject(t)
  await releaseEach(project, ['1.0.0', '1.0.1'])
  const previous = await readFile(join(project.updates, 'version.json'))
  await releaseEach(project, ['1.0.2'])
  const before = await snapshot(project.updates)
  for (const keep of [1, 0, -1, 1.5, Number.NaN])
    await assert.rejects(pruneOf(project, { keep }), failsWith('ERR_USAGE_INVALID', /--keep: .* at least 2/))
  assert.deepEqual(await snapshot(project.updates), before)

  assert.equal((await pruneOf(project, { keep: 2 })).kind, 'pruned')
  const publisher = await publisherOf(project)
  assert.deepEqual(await versionsIn(publisher), ['1.0.1', '1.0.2'])
  const [root] = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  assert.equal((await verifyPublished({ place: project.updates, root })).version, '1.0.2')
  // A cache may give this one out for a while.
  await writeFile(join(project.updates, 'version.json'), previous)
  assert.equal((await verifyPublished({ place: project.updates, root })).version, '1.0.1')
})

const DAMAGES: Readonly<Record<string, (updates: string) => Promise<void>>> = {
  'is not JSON': (updates) => writeFile(join(updates, 'beta/version.json'), '<html>'),
  'was changed after it was signed': async (updates) => {
    const path = join(updates, 'beta/version.json')
    await writeFile(path, (await readFile(path, 'utf8')).replace('"percent": 100', '"percent": 99'))
  },
  'is that of another channel': async (updates) =>
    writeFile(join(updates, 'beta/version.json'), await readFile(join(updates, 'version.json'))),
  'is too large': (updates) => writeFile(join(updates, 'beta/version.json'), ' '.repeat(300_000)),
  'names a file that is missing': (updates) => rm(join(updates, 'bin/2.0.0-beta.1/probe-linux-amd64')),
  'names a file of another size': (updates) => writeFile(join(updates, 'bin/2.0.0-beta.1/probe-linux-amd64'), 'short'),
  'is not the one that was published last, which was changed': (updates) =>
    writeFile(join(updates, 'beta/.attempted.json'), '{}'),
}

test('case 98: nothing is removed when one live manifest, of any channel, cannot be vouched for', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2'])
  await releaseEach(project, ['2.0.0-beta.1'], 'beta')
  for (const [name, damage] of Object.entries(DAMAGES)) {
    const sound = await snapshot(project.updates)
    await damage(project.updates)
    const damaged = await snapshot(project.updates)
    assert.notDeepEqual(damaged, sound)
    await assert.rejects(pruneOf(project, { keep: 2 }), failsWith('ERR_PUBLISH_FAILED'), name)
    assert.deepEqual(await snapshot(project.updates), damaged, name)
    for (const [path, content] of Object.entries(sound))
      await writeFile(join(project.updates, path), Buffer.from(content, 'base64'))
  }
  // Expired: the place is an old copy, its channel is forgotten, or this clock is wrong, by which age is judged.
  const now = (): number => Date.now() + 200 * DAY_MS
  await assert.rejects(pruneOf(project, { keep: 2 }, { now }), failsWith('ERR_PUBLISH_FAILED', /expired/))
  const { kind, files } = await pruneOf(project, { keep: 2 })
  assert.deepEqual([kind, files[0]?.path], ['pruned', 'releases/1.0.0.json'])
})

test('many betas between two finals push neither the final before out nor the betas of the channel', async (t) => {
  const project = await makeProject(t, { ...SMALL, baseUrl: 'https://updates.example.com/probe' })
  await releaseEach(project, ['0.9.0', '1.0.0'])
  await releaseEach(project, ['1.1.0-beta.1', '1.1.0-beta.2', '1.1.0-beta.3'], 'beta')
  await releaseEach(project, ['1.1.0'])
  await pruneOf(project, { keep: 2 })
  assert.deepEqual(await versionsIn(await publisherOf(project)), ['1.0.0', '1.1.0-beta.2', '1.1.0-beta.3', '1.1.0'])
})

test('the history tells what belongs to which channel', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2'])
  await releaseEach(project, ['1.0.3', '1.0.4', '1.0.5', '1.0.6'], 'beta')
  await releaseEach(project, ['1.0.7'])
  await pruneOf(project, { keep: 2 })
  const publisher = await publisherOf(project)
  assert.deepEqual(await versionsIn(publisher), ['1.0.2', '1.0.5', '1.0.6', '1.0.7'])
  await assertWhole(project, publisher)
})

test('what was live last stays, however often it was renewed, and what was passed over goes', async (t) => {
  const project = await makeProject(t, SMALL)
  for (const version of ['1.0.0', '1.0.1', '1.0.2', '1.0.3']) await project.release(version, { rollout: false })
  const offer = (version: string) => setRollout({ config: project.config, version }, { env: {} })
  for (const version of ['1.0.0', '1.0.2', '1.0.3', '1.0.3']) await offer(version)
  const result = await pruneOf(project, { keep: 3 })
  assert.equal(whyOf(result, 'releases/1.0.0.json'), 'keep: of the last 3 live on stable')
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.1.json', 'bin/1.0.1/probe-linux-amd64'])
  for (const path of pathsOf(result, 'keep').filter((one) => one.startsWith('history/')))
    assert.equal(whyOf(result, path), 'keep: history')
  assert.equal(whyOf(result, 'feed.atom'), 'keep: feed')
})

test('where the history does not reach back far enough nothing goes that may have been live', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
  await releaseEach(project, ['2.0.0-beta.1', '2.0.0-beta.2', '2.0.0-beta.3'], 'beta')
  const { rollout } = await project.readJson<{ rollout: { previous: string } }>('updates/version.json')
  const before = join(project.updates, `history/${rollout.previous}.json`)
  const bytes = await readFile(before)
  for (const damage of [rm, (path: string) => writeFile(path, bytes.subarray(1))]) {
    await damage(before)
    const result = await pruneOf(project, { keep: 2, plan: true })
    assert.equal(
      whyOf(result, 'releases/1.0.0.json'),
      'keep: may have been live on stable, whose history does not tell',
    )
    // Of the other channel all is known.
    assert.deepEqual(pathsOf(result, 'remove'), ['releases/2.0.0-beta.1.json', 'bin/2.0.0-beta.1/probe-linux-amd64'])
  }
  await writeFile(before, bytes)
  assert.ok(pathsOf(await pruneOf(project, { keep: 2 }), 'remove').includes('releases/1.0.0.json'))
})

test('what is prepared stays until it is offered, and so does everything while nothing is', async (t) => {
  const project = await makeProject(t, SMALL)
  for (const version of ['1.0.0', '1.0.1', '1.0.2']) await project.release(version, { rollout: false })
  assert.deepEqual(pathsOf(await pruneOf(project, { keep: 2 }), 'remove'), [])
  await setRollout({ config: project.config, version: '1.0.0' }, { env: {} })
  const result = await pruneOf(project, { keep: 2 })
  assert.deepEqual(pathsOf(result, 'remove'), [])
  assert.equal(whyOf(result, 'releases/1.0.2.json'), 'keep: newer than what is live')

  // Newer than what stable has, although beta is further on.
  await releaseEach(project, ['2.0.0-beta.1', '2.0.0-beta.2', '2.0.0-beta.3'], 'beta')
  const later = await pruneOf(project, { keep: 2 })
  assert.equal(whyOf(later, 'releases/1.0.2.json'), 'keep: newer than the live 1.0.0 of stable')
  assert.deepEqual(pathsOf(later, 'remove'), ['releases/2.0.0-beta.1.json', 'bin/2.0.0-beta.1/probe-linux-amd64'])
})

test('releases that the rollout names stay: for a rollback, for a pin, as fallback, and in members that nobody knows yet', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4', '1.0.5', '1.0.6'])
  const pin = { version: '1.0.1', release: await digestOf(project, '1.0.1'), url: 'releases/1.0.1.json' }
  // The build metadata of a reference need not be that of the file: the digest tells which release it is.
  const fallback = { ...pin, version: '1.0.2+other', release: await digestOf(project, '1.0.2') }
  const rollout = { rollback: ['1.0.0'], rules: [{ match: {}, pin }], fallback, later: { any: ['1.0.3'] } }
  await changeLive(project, { rollout })
  const result = await pruneOf(project, { keep: 2 })
  for (const version of ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
    assert.equal(whyOf(result, `releases/${version}.json`), 'keep: named by the rollout of stable')
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.4.json', 'bin/1.0.4/probe-linux-amd64'])
})

test('what the deltas of the live release start from stays, and the deltas too', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
  const base = sha256(await readFile(join(project.updates, 'bin/1.0.0/probe-linux-amd64')))
  const delta = 'bin/1.0.3/probe-linux-amd64.from-1.0.0'
  await writeFile(join(project.updates, delta), 'delta')
  await changeLive(project, {
    release: (release) => {
      const binary = (release['binaries'] as JsonObject)['linux-amd64'] as JsonObject
      binary['downloads'] = [{ url: delta, size: 5, sha256: sha256(Buffer.from('delta')), encoding: 'x', from: base }]
    },
  })
  const result = await pruneOf(project, { keep: 2 })
  assert.equal(whyOf(result, 'bin/1.0.0/probe-linux-amd64'), 'keep: base of a delta of 1.0.3')
  assert.match(whyOf(result, delta), /^keep/)
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.1.json', 'bin/1.0.1/probe-linux-amd64'])
})

test('a manifest that was put back may have been seen: what it names stays', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
  const attempted = await readFile(join(project.updates, '.attempted.json'))
  await releaseEach(project, ['1.0.4', '1.0.5', '1.0.6'])
  await writeFile(join(project.updates, '.attempted.json'), attempted)
  const result = await pruneOf(project, { keep: 2 })
  assert.equal(whyOf(result, 'releases/1.0.3.json'), 'keep: published last on stable, and may have been seen')
  // With its own fallback, which is the one before it.
  assert.deepEqual(await versionsIn(await publisherOf(project)), ['1.0.2', '1.0.3', '1.0.5', '1.0.6'])
})

test('a file that another release needs stays, wherever its URL leads, also when the base URL has changed since', async (t) => {
  const project = await makeProject(t, { ...SMALL, baseUrl: 'https://old.example.com/x' })
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
  const shared = 'bin/1.0.0/probe-linux-amd64'
  const bytes = await readFile(join(project.updates, shared))
  await changeLive(project, {
    release: (release) => {
      const binary = (release['binaries'] as JsonObject)['linux-amd64'] as JsonObject
      Object.assign(binary, { url: `https://old.example.com/x/${shared}`, size: bytes.length, sha256: sha256(bytes) })
    },
  })
  await project.change({ baseUrl: 'https://new.example.com' })
  const result = await pruneOf(project, { keep: 2 })
  assert.equal(whyOf(result, shared), 'keep: named by 1.0.3')
  assert.deepEqual(pathsOf(result, 'remove'), [
    'releases/1.0.0.json',
    'releases/1.0.1.json',
    'bin/1.0.1/probe-linux-amd64',
  ])
})

test('with an age, what was released later stays besides', async (t) => {
  const project = await makeProject(t, SMALL)
  const start = Date.now()
  for (const [day, version] of ['1.0.0', '1.0.1', '1.0.2', '1.0.3'].entries())
    await project.release(version, {}, { now: () => start + day * 10 * DAY_MS })
  const now = (): number => start + 31 * DAY_MS
  const result = await pruneOf(project, { keep: 2, olderThan: '25d' }, { now })
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.0.json', 'bin/1.0.0/probe-linux-amd64'])
  assert.match(whyOf(result, 'releases/1.0.1.json'), /^keep: released 2/)
  await assert.rejects(
    pruneOf(project, { olderThan: 'a month' }, { now }),
    failsWith('ERR_USAGE_INVALID', /--older-than: expected a duration such as 30d/),
  )
})

test('what is not understood is never removed, and is reported', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'])
  const unsigned = parseStrictJson(await readFile(join(project.updates, 'releases/1.0.1.json'))) as JsonObject
  const strangers = {
    'index.html': 'a page',
    'deep/er/version.json': 'no channel',
    'trust/notes.txt': 'notes',
    'releases/latest.json': '{}',
    'releases/0.0.1.json': '{}',
    'releases/1.0.1.json': JSON.stringify({ ...unsigned, changelog: 'changed' }),
    'bin/1.0.0/LICENSE': 'by hand',
    'bin/1.0.0/probe-linux-amd64.sha256': 'by hand',
    'bin/1.0.0/other-linux-amd64': 'of another project',
    'bin/1.0.0/sub/probe-linux-amd64': 'deeper',
    'bin/nightly/probe-linux-amd64': 'no version',
    'bin/0.0.1/probe-linux-amd64': 'of a release that is not understood',
  }
  await writeTree(project.updates, strangers)
  const result = await pruneOf(project, { keep: 2 })
  assert.deepEqual(
    pathsOf(result, 'unknown').toSorted(),
    [...Object.keys(strangers), 'bin/1.0.1/probe-linux-amd64'].toSorted(),
  )
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.0.json', 'bin/1.0.0/probe-linux-amd64'])
  for (const path of Object.keys(strangers)) await readFile(join(project.updates, path))
})

test('artifacts without a release document are those of a run that was killed; newer ones are left to the next run', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1'])
  for (const version of ['0.9.0', '1.0.2']) await mkdir(join(project.updates, 'bin', version), { recursive: true })
  await writeTree(project.updates, {
    'bin/0.9.0/probe-linux-amd64': 'old',
    'bin/0.9.0/probe-linux-amd64.br': 'old',
    'bin/0.9.0/helm-values.yaml': 'old',
    'bin/1.0.2/probe-linux-amd64': 'new',
  })
  const result = await pruneOf(project, { keep: 2 })
  assert.deepEqual(pathsOf(result, 'remove'), [
    'bin/0.9.0/helm-values.yaml',
    'bin/0.9.0/probe-linux-amd64',
    'bin/0.9.0/probe-linux-amd64.br',
  ])
  assert.equal(whyOf(result, 'bin/1.0.2/probe-linux-amd64'), 'keep: newer than what is live, and not finished')
})

test('of a plan that was agreed to nothing is removed besides', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2'])
  const plan = await pruneOf(project, { keep: 2, plan: true })
  await releaseEach(project, ['1.0.3'])
  const result = await pruneOf(project, { keep: 2, agreed: pathsOf(plan, 'remove') })
  assert.deepEqual(pathsOf(result, 'remove'), ['releases/1.0.0.json', 'bin/1.0.0/probe-linux-amd64'])
  assert.equal(whyOf(result, 'releases/1.0.1.json'), 'keep: not in the plan that was agreed to')
})
