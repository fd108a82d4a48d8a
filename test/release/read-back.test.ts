import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startServer } from '../../local-server/index.ts'
import {
  isMoultError,
  type MoultError,
  NO_FLOOR,
  parseStrictJson,
  readRoot,
  type Trust,
  verifyManifest,
} from '../../manifests/index.ts'
import { readRoots, type ReleaseEvent, verifyPublished } from '../../release/index.ts'
import { failsWith, makeProject } from './project-fixture.ts'

/** Runs `work` once, when the read-back begins: the manifest is live then. */
function whenReadBackBegins(work: () => Promise<void> | void): {
  on: (event: ReleaseEvent) => void
  done: () => Promise<void>
} {
  let running: Promise<void> | undefined
  const on = (event: ReleaseEvent): void => {
    if (event.kind === 'step' && event.step === 'read back') running ??= Promise.resolve(work())
  }
  return { on, done: async () => running }
}

async function serve(t: TestContext, dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  const server = await startServer({ dir, port: 0 })
  t.after(() => server.close(0))
  return server.url
}

async function readBackError(released: Promise<unknown>): Promise<MoultError> {
  const error: unknown = await released.then(
    () => assert.fail('the release succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(isMoultError(error), String(error))
  assert.equal(error.code, 'ERR_PUBLISH_READ_BACK')
  assert.equal(error.exitCode, 27)
  return error
}

test('the release is read back through the public URL', async (t) => {
  const { updates, release, change } = await makeProject(t)
  const url = await serve(t, updates)
  await change({ publish: { type: 'directory', path: './updates', url } })
  assert.equal((await release('1.0.0')).kind, 'published')
})

test('when what was published does not verify, the manifest before it is put back', async (t) => {
  const { dir, updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const before = await readFile(join(updates, 'version.json'), 'utf8')
  await writeAgents('echo 2')
  const spoil = whenReadBackBegins(() => writeFile(join(updates, 'bin/1.0.1/probe-darwin-arm64'), 'damaged'))
  const error = await readBackError(release('1.0.1', {}, spoil))
  assert.deepEqual(error.details, { reason: 'ERR_BYTES_SIZE', restored: true })
  assert.equal(await readFile(join(updates, 'version.json'), 'utf8'), before)
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  assert.equal((await verifyPublished({ place: updates, root })).version, '1.0.0')
})

test('when the first release does not verify, there is no manifest afterwards', async (t) => {
  const { updates, release } = await makeProject(t)
  const spoil = whenReadBackBegins(() => writeFile(join(updates, 'bin/1.0.0/probe-darwin-arm64'), 'damaged'))
  await readBackError(release('1.0.0', {}, spoil))
  assert.equal(existsSync(join(updates, 'version.json')), false)
})

test('a manifest that somebody changed meanwhile is not put back', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await writeAgents('echo 2')
  const spoil = whenReadBackBegins(() => writeFile(join(updates, 'version.json'), '{"newer": true}'))
  const error = await readBackError(release('1.0.1', {}, spoil))
  assert.equal(error.details['restored'], false)
  assert.equal(await readFile(join(updates, 'version.json'), 'utf8'), '{"newer": true}')
})

test('a public URL that serves another folder fails the read-back', async (t) => {
  const { dir, updates, release, change } = await makeProject(t)
  const url = await serve(t, join(dir, 'elsewhere'))
  await change({ publish: { type: 'directory', path: './updates', url } })
  const error = await readBackError(release('1.0.0'))
  assert.match(error.message, /not found: http.*version\.json/)
  assert.equal(existsSync(join(updates, 'version.json')), false)
})

/** An agent: what it makes of the manifest that is there now, after all that it has seen. */
async function makeAgent(dir: string): Promise<() => Promise<string>> {
  const root = readRoot(parseStrictJson(await readFile(join(dir, 'trust/1.root.json'))))
  let trust: Trust = { root, channel: 'stable', floor: NO_FLOOR }
  return async () => {
    const verdict = verifyManifest(await readFile(join(dir, 'updates/version.json')), trust, Date.now())
    if (verdict.kind === 'refused') return verdict.error.code
    trust = verdict.trust
    return `${verdict.manifest.release.version} as ${verdict.manifest.rollout.sequence}`
  }
}

for (const isFirst of [true, false]) {
  test(`the sequence of ${isFirst ? 'a first' : 'another'} manifest that was put back is not used again`, async (t) => {
    const { dir, updates, release, writeAgents } = await makeProject(t)
    const poll = await makeAgent(dir)
    if (!isFirst) await release('1.0.0')
    const burnt = isFirst ? 1 : 2
    const polls: Promise<string>[] = []
    const spoil = whenReadBackBegins(async () => {
      polls.push(poll())
      await polls[0]
      await writeFile(join(updates, 'bin/1.0.1/probe-darwin-arm64'), 'damaged')
    })
    await writeAgents('echo 2')
    await readBackError(release('1.0.1', {}, spoil))
    assert.equal(await polls[0], `1.0.1 as ${burnt}`)
    await writeAgents('echo 3')
    const planned = await release('1.0.2', { plan: true })
    assert.equal(planned.rollout?.sequence, burnt + 1)
    await release('1.0.2')
    assert.equal(await poll(), `1.0.2 as ${burnt + 1}`)
  })
}

test('what says which sequence is used up is believed only with a signature', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const note = join(updates, '.attempted.json')
  const text = await readFile(note, 'utf8')
  await writeFile(note, text.replace('"sequence": 1', '"sequence": 9007199254740990'))
  await writeAgents('echo 2')
  await assert.rejects(release('1.0.1'), failsWith('ERR_PUBLISH_FAILED', /does not verify .*: \.attempted\.json/))
})
