import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startServer } from '../../local-server/index.ts'
import { type JsonObject, ROLLOUT_UNSIGNED } from '../../manifests/index.ts'
import { documentBytes } from '../../release/document-bytes.ts'
import { signDocument } from '../../release/sign.ts'
import { type Fixture, makeProject, temporaryFolder } from '../release/project-fixture.ts'
import { readKeyFile } from '../../release/signers/key-file.ts'
import { runMoult } from './moult-process.ts'

interface Verdict {
  readonly kind: string
  readonly finding: string
  readonly meaning?: string
  readonly advice?: string
  readonly error?: { readonly code: string }
}

interface Scene extends Fixture {
  /** A copy of what was published first, as a mirror or a hostile host has it. */
  readonly mirror: string
  readonly url: string
  readonly verify: (place: string, ...options: string[]) => Promise<{ code: number | null; verdict: Verdict }>
}

async function makeScene(t: TestContext): Promise<Scene> {
  const project = await makeProject(t)
  const { dir, updates, release } = project
  await release('1.0.0')
  const mirror = join(dir, 'mirror')
  await cp(updates, mirror, { recursive: true })
  const server = await startServer({ dir: mirror, port: 0 })
  t.after(() => server.close(0))
  const verify: Scene['verify'] = async (place, ...options) => {
    const { code, stdout } = await runMoult(['verify', place, '--json', ...options], dir)
    return { code, verdict: JSON.parse(stdout) as Verdict }
  }
  return { ...project, mirror, url: server.url, verify }
}

test('what is sound is sound, in a folder and at a URL', async (t) => {
  const { url, mirror, verify } = await makeScene(t)
  for (const place of [mirror, url]) {
    const { code, verdict } = await verify(place)
    assert.deepEqual([code, verdict.kind, verdict.finding], [0, 'verified', 'sound'])
  }
})

test('a hostile change, an old copy, an expired statement, rubbish and an outage have findings of their own', async (t) => {
  const { dir, mirror, url, verify, release, writeAgents } = await makeScene(t)
  const expect = async (finding: string, errorCode: string, exit: number, ...options: string[]): Promise<void> => {
    const { code, verdict } = await verify(url, ...options)
    assert.deepEqual([verdict.finding, verdict.error?.code, code], [finding, errorCode, exit])
    assert.ok(verdict.kind === 'refused' && verdict.meaning !== undefined && verdict.advice !== undefined)
  }
  await expect('stale', 'ERR_TRUST_REPLAY', 22, '--at-least', '2')

  // The folder of the project is ahead of the copy: nobody has to remember a number.
  await writeAgents('echo 2')
  await release('1.0.1')
  await expect('stale', 'ERR_TRUST_REPLAY', 22)

  const manifest = join(mirror, 'version.json')
  const sound = await readFile(manifest, 'utf8')
  await writeFile(manifest, sound.replace('"version": "1.0.0"', '"version": "6.6.6"'))
  await expect('hostile', 'ERR_TRUST_SIGNATURE', 22)
  await writeFile(manifest, '<!doctype html><title>Please log in</title>')
  await expect('malformed', 'ERR_MANIFEST_SYNTAX', 21)
  await rm(manifest)
  await expect('unreachable', 'ERR_NETWORK_STATUS', 20)

  // Two statements of sequence 2, both by the rollout key.
  await cp(join(dir, 'updates'), mirror, { recursive: true })
  const { rollout, ...rest } = JSON.parse(await readFile(manifest, 'utf8')) as JsonObject & { rollout: JsonObject }
  const key = await readKeyFile(join(dir, 'keys/moult.key'))
  const resign = async (changes: JsonObject): Promise<void> => {
    const signed = await signDocument({ ...rollout, ...changes }, ROLLOUT_UNSIGNED, [key])
    await writeFile(manifest, documentBytes({ ...rest, rollout: signed }))
  }
  await resign({ paused: true })
  await expect('hostile', 'ERR_TRUST_EQUIVOCATION', 22)
  await resign({ sequence: 3, issued: '2026-01-01T00:00:00Z', expires: '2026-02-01T00:00:00Z' })
  await expect('expired', 'ERR_TRUST_EXPIRED', 22)
  await resign({ sequence: 3, release: '0'.repeat(64) })
  await expect('hostile', 'ERR_TRUST_BINDING', 22)

  await resign({ sequence: 3 })
  const artifact = join(mirror, 'bin/1.0.1/probe-linux-amd64')
  await writeFile(artifact, (await readFile(artifact, 'utf8')).replace('echo 2', 'echo 3'))
  await expect('hostile', 'ERR_BYTES_HASH', 23)
  const gone = await verify('http://127.0.0.1:9')
  assert.deepEqual([gone.code, gone.verdict.finding], [20, 'unreachable'])
})

test('a person gets a sentence of what it means and one of what to do', async (t) => {
  const { dir, url } = await makeScene(t)
  const { code, stdout, stderr } = await runMoult(['verify', url, '--at-least', '7'], dir)
  assert.deepEqual([code, stdout], [22, ''])
  assert.match(
    stderr,
    /^error: sequence 1 is behind 7\ncode: ERR_TRUST_REPLAY\nfinding: stale\. This is an authentic manifest, but older [^\n]*\nto do: [^\n]+\n$/,
  )
})

test('without a project, a file remembers what was seen', async (t) => {
  const { dir, mirror, updates, release, writeAgents } = await makeScene(t)
  await writeAgents('echo 2')
  await release('1.0.1')
  const elsewhere = join(dir, 'monitor')
  await cp(join(dir, 'trust'), elsewhere, { recursive: true })
  const check = async (place: string): Promise<{ code: number | null; finding: string }> => {
    const args = ['verify', place, '--root', '1.root.json', '--remember', 'seen.json', '--json']
    const { code, stdout } = await runMoult(args, elsewhere)
    return { code, finding: (JSON.parse(stdout) as Verdict).finding }
  }
  assert.deepEqual(await check(mirror), { code: 0, finding: 'sound' })
  assert.deepEqual(await check(updates), { code: 0, finding: 'sound' })
  assert.deepEqual(await check(mirror), { code: 22, finding: 'stale' })
})

test('what is about the command and not about the place has no finding', async (t) => {
  const { url, verify } = await makeScene(t)
  for (const options of [
    ['--at-least', 'zero'],
    ['--root', 'none.json'],
  ]) {
    const { code, verdict } = await verify(url, ...options)
    assert.deepEqual([code, verdict.finding], [2, undefined])
  }
})

test('a rollout that will expire soon is warned about, and is sound', async (t) => {
  const { release, dir, writeAgents } = await makeProject(t)
  const day = 24 * 3_600_000
  await release('1.0.0', { expires: '30d' }, { now: () => Date.now() - 25 * day })
  await writeAgents('echo 1')
  const { code, stderr, stdout } = await runMoult(['verify', '--json'], dir)
  const { finding, warnings } = JSON.parse(stdout) as { finding: string; warnings: { what: string }[] }
  assert.deepEqual([code, finding, warnings.map(({ what }) => what)], [0, 'sound', ['rollout']])
  assert.match(stderr, /^warning: less than a quarter of its life is left: the rollout expires at/)
})

test('outside a project a place is checked with --root, and the hint says so', async (t) => {
  const dir = await temporaryFolder(t)
  const { code, stderr } = await runMoult(['verify', 'http://127.0.0.1:9'], dir)
  assert.equal(code, 2)
  assert.match(stderr, /^hint: Outside a project, name the root document .*--root <file>/m)
})
