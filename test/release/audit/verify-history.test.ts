import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startServer } from '../../../local-server/index.ts'
import { sha256 } from '../../../manifests/index.ts'
import { makeKeyFile, setRollout } from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject } from '../project-fixture.ts'
import { startGitHub, TOKEN } from '../publishers/github-double.ts'
import { BUCKET, startDouble } from '../publishers/s3-double.ts'
import { useTestCredentials } from '../publishers/s3-place.ts'
import { publisherOf, releaseEach, SMALL } from '../prune/prune-place.ts'
import { historyOf, state } from './history-place.ts'

useTestCredentials()

/** Sequences 1 to 4: a release at 5 %, all of it, another release, a pause. */
async function makeHistory(t: TestContext): Promise<Fixture> {
  const project = await makeProject(t, SMALL)
  await project.release('1.0.0', { percent: 5 })
  await setRollout({ config: project.config, version: '1.0.0', percent: 100 }, { env: {} })
  await releaseEach(project, ['1.0.1'])
  await state(project, { rollout: { paused: true } })
  return project
}

async function pathOfSequence(project: Fixture, sequence: number): Promise<string> {
  const { entries } = await historyOf(project)
  return join(project.updates, `history/${entries.find((one) => one.sequence === sequence)?.manifest}.json`)
}

test('every manifest is told of, newest first, with what happened and who signed', async (t) => {
  const project = await makeHistory(t)
  const { name, channel, entries, end } = await historyOf(project)
  assert.deepEqual([name, channel, end], ['probe', 'stable', { kind: 'first' }])
  assert.deepEqual(
    entries.map(({ sequence, version, events }) => [sequence, version, events.map(({ kind }) => kind)]),
    [
      [4, '1.0.1', ['paused']],
      [3, '1.0.1', ['released']],
      [2, '1.0.0', ['widened']],
      [1, '1.0.0', ['released']],
    ],
  )
  assert.deepEqual(entries[2]?.events, [{ kind: 'widened', from: 5, to: 100 }])
  const { keys } = await project.readJson<{ keys: object }>('trust/1.root.json')
  for (const { signed } of entries) assert.deepEqual(signed, { release: Object.keys(keys), rollout: Object.keys(keys) })
  const live = await readFile(join(project.updates, 'version.json'))
  assert.deepEqual([entries[0]?.manifest, entries[0]?.root], [sha256(live), 1])
})

test('a limit ends it, and what happened last is still known', async (t) => {
  const { entries, end } = await historyOf(await makeHistory(t), { limit: 2 })
  assert.deepEqual([entries.map(({ sequence }) => sequence), end], [[4, 3], { kind: 'limit' }])
  assert.equal(entries[1]?.events[0]?.kind, 'released')
})

test('what has expired since was sound at its time, and what is live has to be sound now', async (t) => {
  const project = await makeHistory(t)
  const long = { issued: '2025-06-01T00:00:00Z', expires: '2025-06-02T00:00:00Z' }
  await state(project, { rollout: long })
  await assert.rejects(historyOf(project), failsWith('ERR_TRUST_EXPIRED'))
  await setRollout({ config: project.config, version: '1.0.1' }, { env: {} })
  const { entries, end } = await historyOf(project)
  assert.deepEqual([entries.length, end.kind, entries[1]?.issued], [6, 'first', long.issued])
})

const BREAKS: Readonly<
  Record<string, readonly [code: string, damage: (path: string, project: Fixture) => Promise<void>]>
> = {
  'is missing': ['ERR_NETWORK_STATUS', (path) => rm(path)],
  'has another byte': ['ERR_BYTES_HASH', async (path) => writeFile(path, `${await readFile(path, 'utf8')} `)],
  'is another one that was signed': [
    'ERR_BYTES_HASH',
    (path, { updates }) => cp(join(updates, 'version.json'), path, { force: true }),
  ],
  'has no end': ['ERR_MANIFEST_TOO_LARGE', (path) => writeFile(path, ' '.repeat(300_000))],
}

for (const [name, [code, damage]] of Object.entries(BREAKS))
  test(`the chain is broken where a manifest ${name}, and what is newer is told`, async (t) => {
    const project = await makeHistory(t)
    await damage(await pathOfSequence(project, 2), project)
    const { entries, end } = await historyOf(project)
    assert.deepEqual(
      entries.map(({ sequence, events }) => [sequence, events.length]),
      [
        [4, 1],
        // Nobody can tell what happened here.
        [3, 0],
      ],
    )
    assert.ok(end.kind === 'broken' && failsWith(code, /sequence 3/)(end.error))
    // It says nothing of what is newer.
    assert.equal((await historyOf(project, { limit: 1 })).end.kind, 'limit')
  })

test('the chain is broken by a manifest of another key, also if one of the project names it', async (t) => {
  const project = await makeHistory(t)
  await makeKeyFile(join(project.dir, 'keys/thief.key'))
  await state(project, { key: 'keys/thief.key' })
  await state(project)
  const { entries, end } = await historyOf(project)
  assert.deepEqual(
    entries.map(({ sequence }) => sequence),
    [6],
  )
  assert.ok(end.kind === 'broken' && failsWith('ERR_TRUST_SIGNATURE', /broken before sequence 6/)(end.error))
})

test('the chain is broken by a manifest for another channel', async (t) => {
  const project = await makeHistory(t)
  await state(project, { rollout: { channel: 'beta' } })
  await state(project, { rollout: { channel: 'stable' } })
  const { end } = await historyOf(project)
  assert.ok(end.kind === 'broken' && failsWith('ERR_TRUST_TARGET')(end.error))
})

test('the chain is broken where the sequence does not fall', async (t) => {
  for (const [sequence, code] of [
    [4, 'ERR_TRUST_EQUIVOCATION'],
    [3, 'ERR_TRUST_REPLAY'],
  ] as const) {
    const project = await makeHistory(t)
    await state(project, { rollout: { sequence } })
    const { entries, end } = await historyOf(project)
    assert.equal(entries.length, 1)
    assert.ok(end.kind === 'broken' && failsWith(code)(end.error))
  }
})

test('a manifest that was put back, and one of a run that was killed, are no part of it', async (t) => {
  const project = await makeHistory(t)
  const live = await readFile(join(project.updates, 'version.json'))
  await state(project, { rollout: { paused: false } })
  await writeFile(join(project.updates, 'version.json'), live)
  const { entries, end } = await historyOf(project)
  assert.deepEqual([entries.map(({ sequence }) => sequence), end.kind], [[4, 3, 2, 1], 'first'])
})

test('the live manifest gets into the history when it is replaced, if it is not there, or damaged', async (t) => {
  const project = await makeHistory(t)
  for (const damage of [rm, (file: string) => writeFile(file, 'damaged')]) {
    const hash = sha256(await readFile(join(project.updates, 'version.json')))
    await damage(join(project.updates, `history/${hash}.json`))
    await setRollout({ config: project.config, version: '1.0.1' }, { env: {} })
    assert.equal((await historyOf(project)).end.kind, 'first')
  }
})

test('it is the same through HTTP, and in a bucket and a repository', async (t) => {
  const double = await startDouble(t)
  const github = await startGitHub(t)
  for (const publish of [
    { s3: { bucket: BUCKET, endpoint: double.endpoint, prefix: 'agents/probe' } },
    { github: { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN' } },
    undefined,
  ]) {
    const project = await makeProject(t, { ...SMALL, ...(publish === undefined ? {} : { publish }) })
    const env = { TOKEN }
    for (const channel of ['stable', 'beta']) {
      await project.release(`1.0.0-${channel}.1`, { channel }, { env })
      for (const percent of [5, 50])
        await setRollout({ config: project.config, version: `1.0.0-${channel}.1`, channel, percent }, { env })
    }
    const server = publish === undefined ? await startServer({ dir: project.updates, port: 0 }) : undefined
    t.after(() => server?.close(0))
    const place = server?.url ?? (await publisherOf(project, { env }))
    for (const channel of ['stable', 'beta']) {
      const { entries, end } = await historyOf(project, { place, channel })
      assert.deepEqual([entries.map(({ sequence }) => sequence), end.kind], [[3, 2, 1], 'first'])
    }
  }
})
