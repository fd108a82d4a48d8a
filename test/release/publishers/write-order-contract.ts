// The order of a publish on any publisher, and what a run that stops anywhere leaves for the next one.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import type { PublishPlan } from '../../../release/plan-publish.ts'
import { publish } from '../../../release/publish.ts'
import type { Publisher } from '../../../release/publishers/publisher.ts'
import { surroundingsOf } from '../../../release/surroundings.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const hashOf = (text: string): string => sha256(bytesOf(text))

/** What is to be written for a version, less what lies there already. */
async function planOf(publisher: Publisher, files: Readonly<Record<string, string>>): Promise<PublishPlan> {
  const planned = await Promise.all(
    Object.entries(files).map(async ([path, text]) => {
      const digest = { size: text.length, sha256: hashOf(text) }
      const isThere = (await publisher.digest(path))?.sha256 === digest.sha256
      return { path, ...digest, action: isThere ? ('keep' as const) : ('write' as const), bytes: bytesOf(text) }
    }),
  )
  const live = await publisher.read('version.json', 1000)
  const manifest = planned.find(({ path }) => path === 'version.json')
  return {
    artifacts: planned.filter(({ path }) => path.startsWith('bin/')).map((one) => ({ ...one, source: one })),
    documents: planned.filter(({ path }) => /^(?:releases|trust)/.test(path)),
    ...(manifest === undefined
      ? {}
      : { manifest: { ...manifest, attemptPath: '.attempted.json', replaces: live && sha256(live) } }),
    history: planned.filter(({ path, action }) => path.startsWith('history/') && action === 'write'),
  }
}

/** Tells each write before it happens and after. */
function watched(publisher: Publisher, on: (moment: string) => void): Publisher {
  const watch = <A extends [string, ...unknown[]]>(work: (...args: A) => Promise<void>) => {
    return async (...args: A): Promise<void> => {
      on(`before ${args[0]}`)
      await work(...args)
      on(`after ${args[0]}`)
    }
  }
  return {
    ...publisher,
    putArtifact: watch(publisher.putArtifact.bind(publisher)),
    putDocument: watch(publisher.putDocument.bind(publisher)),
    replaceManifest: watch(publisher.replaceManifest.bind(publisher)),
  }
}

export function testWriteOrder(open: (t: TestContext) => Promise<Publisher>): void {
  const read = async (publisher: Publisher, path: string): Promise<string | undefined> => {
    const bytes = await publisher.read(path, 1000)
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
  }

  const RELEASE = {
    'bin/1.0.0/a': 'artifact a',
    'bin/1.0.0/b': 'artifact b',
    'releases/1.0.0.json': 'release',
    'trust/1.root.json': 'root',
    [`history/${hashOf('manifest')}.json`]: 'manifest',
    'version.json': 'manifest',
  }

  test('a release is written artifacts first, then documents, then the manifest as history, then as what is live', async (t) => {
    const publisher = await open(t)
    const moments: string[] = []
    const project = { publisher: watched(publisher, (moment) => moments.push(moment)) }
    await publish(await planOf(publisher, RELEASE), project, surroundingsOf({}))
    const order = [...Object.keys(RELEASE).slice(0, 4), '.attempted.json', ...Object.keys(RELEASE).slice(4)]
    assert.deepEqual(
      moments,
      order.flatMap((path) => [`before ${path}`, `after ${path}`]),
    )
  })

  test('a release that stops before or after any write is finished by the next run', async (t) => {
    const STEPS = 14
    for (let stopAt = 0; stopAt < STEPS; stopAt++) {
      const publisher = await open(t)
      let left = stopAt
      const stopping = watched(publisher, () => {
        if (left-- === 0) throw new Error('stopped')
      })
      await assert.rejects(
        publish(await planOf(publisher, RELEASE), { publisher: stopping }, surroundingsOf({})),
        /stopped/,
      )
      const live = await read(publisher, 'version.json')
      if (live !== undefined) assert.equal(stopAt, STEPS - 1)

      // The build of the second run differs, as long as no document has settled what the version is.
      const isSettled = (await publisher.digest('releases/1.0.0.json')) !== undefined
      const files = isSettled ? RELEASE : { ...RELEASE, 'bin/1.0.0/a': 'built again' }
      if (live === undefined) await publish(await planOf(publisher, files), { publisher }, surroundingsOf({}))
      for (const [path, text] of Object.entries(files))
        assert.equal(await read(publisher, path), text, `${stopAt} ${path}`)
    }
  })
}
