// Pruning works through the port of publishers: the same on each of them, also when the service fails in the middle.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'

import type { Publisher, ReleaseDeps } from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject } from '../project-fixture.ts'
import { startGitHub, TOKEN } from '../publishers/github-double.ts'
import { BUCKET, startDouble } from '../publishers/s3-double.ts'
import { useTestCredentials } from '../publishers/s3-place.ts'
import { assertWhole, pathsOf, pruneOf, publisherOf, releaseEach, SMALL, versionsIn } from './prune-place.ts'

useTestCredentials()

/** Of no meaning to the places that need no token. */
const env = { TOKEN }

interface Place {
  readonly project: Fixture
  /** The service refuses all removals after the next n. */
  readonly failRemoval?: (n: number) => void
}

const PLACES: Readonly<Record<string, (t: TestContext) => Promise<Place>>> = {
  'a directory': async (t) => ({ project: await makeProject(t, SMALL) }),
  'a bucket': async (t) => {
    const double = await startDouble(t)
    const publish = { s3: { bucket: BUCKET, endpoint: double.endpoint, prefix: 'agents/probe' } }
    const project = await makeProject(t, { ...SMALL, publish })
    const failRemoval = (n: number): void => {
      let left = n
      double.fault = ({ method, key }) =>
        method === 'DELETE' && !key.endsWith('.lock') && left-- <= 0 ? { status: 403, code: 'AccessDenied' } : undefined
    }
    return { project, failRemoval }
  },
  'releases of a repository': async (t) => {
    const double = await startGitHub(t)
    const publish = { github: { repository: 'acme/agent', apiUrl: double.apiUrl, tokenEnv: 'TOKEN' } }
    const project = await makeProject(t, { ...SMALL, publish })
    const failRemoval = (n: number): void => {
      let left = n
      double.fault = ({ method, path }) =>
        method === 'DELETE' && /\/assets\//.test(path) && left-- <= 0
          ? { status: 403, message: 'Resource not accessible by personal access token' }
          : undefined
    }
    return { project, failRemoval }
  },
}

const GOING = ['1.0.0', '1.0.1'].flatMap((version) => [`releases/${version}.json`, `bin/${version}/probe-linux-amd64`])

async function assertPruned(project: Fixture, publisher: Publisher): Promise<void> {
  assert.deepEqual(await versionsIn(publisher), ['1.0.2', '1.0.3'])
  const files = (await publisher.list('')).map(({ path }) => path)
  for (const path of GOING) assert.ok(!files.includes(path), path)
  await assertWhole(project, publisher, env)
}

for (const [name, makePlace] of Object.entries(PLACES)) {
  describe(`pruning ${name}`, () => {
    test('removes what nothing needs, and nothing else', async (t) => {
      const { project } = await makePlace(t)
      await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'], undefined, { env })
      const publisher = await publisherOf(project, { env })
      const before = (await publisher.list('')).map(({ path }) => path)
      assert.deepEqual(pathsOf(await pruneOf(project, { keep: 2, plan: true }, { env }), 'remove'), GOING)
      assert.deepEqual(pathsOf(await pruneOf(project, { keep: 2 }, { env }), 'remove'), GOING)
      const after = (await publisher.list('')).map(({ path }) => path)
      assert.deepEqual(
        after,
        before.filter((path) => !GOING.includes(path)),
      )
      await assertPruned(project, publisher)
    })

    test('that stops before or after any removal leaves releases whole or absent, and is finished by the next', async (t) => {
      const { project } = await makePlace(t)
      const publisher = await publisherOf(project, { env })
      await releaseEach(project, ['1.0.0', '1.0.1'], undefined, { env })
      // One version is in excess each time: its document and its artifact, each with a moment before and after.
      for (let stopAt = 0; stopAt < 4; stopAt++) {
        await releaseEach(project, [`1.0.${stopAt + 2}`], undefined, { env })
        let left = stopAt
        const on: NonNullable<ReleaseDeps['on']> = (event) => {
          if (event.kind === 'step' && event.step === 'remove' && left-- === 0) throw new Error('stopped')
        }
        await assert.rejects(pruneOf(project, { keep: 2 }, { env, on }), /stopped/)
        await assertWhole(project, publisher, env)
        await pruneOf(project, { keep: 2 }, { env })
        const paths = (await publisher.list('')).map(({ path }) => path)
        const versions = paths.flatMap((path) => /^(?:bin|releases)\/(\d+\.\d+\.\d+)/.exec(path)?.[1] ?? [])
        assert.deepEqual([...new Set(versions)], [`1.0.${stopAt + 1}`, `1.0.${stopAt + 2}`])
        await assertWhole(project, publisher, env)
      }
    })

    test('waits for no release: while one holds the lock it is told who, and removes nothing', async (t) => {
      const { project } = await makePlace(t)
      await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'], undefined, { env })
      const publisher = await publisherOf(project, { env })
      const before = await publisher.list('')
      const unlock = await publisher.lock('1.0.4 on stable')
      await assert.rejects(
        pruneOf(project, { keep: 2 }, { env }),
        failsWith('ERR_PUBLISH_CONFLICT', new RegExp(`1\\.0\\.4 on stable.* process ${process.pid} on `)),
      )
      assert.deepEqual(await publisher.list(''), before)
      await unlock()
      await pruneOf(project, { keep: 2 }, { env })
      await assertPruned(project, publisher)
    })

    // A folder refuses nobody who may write to it.
    if (name === 'a directory') return
    test('that the service refuses in the middle says so, and gives its lock back', async (t) => {
      const { project, failRemoval } = await makePlace(t)
      assert.ok(failRemoval !== undefined)
      await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2', '1.0.3'], undefined, { env })
      const publisher = await publisherOf(project, { env })
      failRemoval(1)
      await assert.rejects(pruneOf(project, { keep: 2 }, { env }), failsWith('ERR_PUBLISH_REFUSED'))
      failRemoval(Number.POSITIVE_INFINITY)
      await assertWhole(project, publisher, env)
      await pruneOf(project, { keep: 2 }, { env })
      await assertPruned(project, publisher)
    })
  })
}
