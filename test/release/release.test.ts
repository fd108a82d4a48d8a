import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { encodeBase64, type MoultError, platformOf, type Release, type Rollout, sha256 } from '../../manifests/index.ts'
import { readConfig, type ReleaseEvent, verifyPublished, readRoots } from '../../release/index.ts'
import { failsWith, makeProject, snapshot, writeTree } from './project-fixture.ts'

type Published = Release & { rollout: Rollout; signatures: unknown[] }
const HOUR_MS = 3_600_000
const HOST = platformOf(process.platform, process.arch)

test('a release is published in the layout of the format and verifies', async (t) => {
  const { dir, updates, release, readJson } = await makeProject(t)
  await writeTree(dir, { 'bin/agent-linux-amd64': `#!/bin/sh\n${'echo hello\n'.repeat(100)}` })
  const result = await release('1.0.0', { changelog: 'First\r\nrelease\n' })
  assert.equal(result.kind, 'published')
  assert.deepEqual(Object.keys(await snapshot(updates)), [
    '.attempted.json',
    'bin/1.0.0/probe-darwin-arm64',
    'bin/1.0.0/probe-linux-amd64',
    'bin/1.0.0/probe-linux-amd64.br',
    'bin/1.0.0/provenance.intoto.json',
    'bin/1.0.0/sbom.cdx.json',
    'feed.atom',
    `history/${sha256(await readFile(join(updates, 'version.json')))}.json`,
    'releases/1.0.0.json',
    'trust/1.root.json',
    'version.json',
  ])
  const manifest = await readJson<Published>('updates/version.json')
  assert.equal(manifest.binaries['linux-amd64']?.url, 'bin/1.0.0/probe-linux-amd64')
  assert.equal(manifest.changelog, 'First\nrelease')
  assert.deepEqual([manifest.rollout.sequence, manifest.rollout.previous], [1, undefined])
  const { rollout: _, ...rest } = manifest
  assert.deepEqual(await readJson('updates/releases/1.0.0.json'), rest)
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  assert.equal((await verifyPublished({ place: updates, root })).files.length, 5)
})

test('the next release has the next sequence and names the manifest before it', async (t) => {
  const { updates, release, readJson, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const before = sha256(await readFile(join(updates, 'version.json')))
  await writeAgents('echo 2')
  await release('1.0.1')
  const { rollout } = await readJson<Published>('updates/version.json')
  assert.deepEqual([rollout.sequence, rollout.previous], [2, before])
})

test('a live version whose release document was lost gets it back, and keeps its bytes', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const before = await snapshot(updates)
  await rm(join(updates, 'releases/1.0.0.json'))
  await release('1.0.0')
  assert.deepEqual(await snapshot(updates), before)
  await rm(join(updates, 'releases/1.0.0.json'))
  await writeAgents('echo another build')
  await assert.rejects(release('1.0.0'), failsWith('ERR_PUBLISH_EXISTS'))
})

test('a plan builds, says what would happen, and changes nothing', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await assert.rejects(readdir(updates))
  await release('1.0.0', { plan: true })
  await assert.rejects(readdir(updates), 'a plan made the folder')
  await release('1.0.0')
  const before = await snapshot(updates)
  await writeAgents('echo 2')
  const { kind, files, rollout } = await release('1.0.1', { plan: true })
  assert.deepEqual(await snapshot(updates), before)
  assert.deepEqual([kind, rollout?.sequence], ['planned', 2])
  assert.deepEqual(
    files.map(({ path, action }) => `${action} ${path}`),
    [
      'write bin/1.0.1/probe-linux-amd64',
      'write bin/1.0.1/probe-darwin-arm64',
      'write bin/1.0.1/sbom.cdx.json',
      'write bin/1.0.1/provenance.intoto.json',
      'write releases/1.0.1.json',
      'keep trust/1.root.json',
      `write history/${files.find(({ path }) => path === 'version.json')?.sha256}.json`,
      'write version.json',
      'write feed.atom',
    ],
  )
})

test('releasing the live version again with the same bytes changes nothing', async (t) => {
  const { updates, release } = await makeProject(t)
  await release('1.0.0')
  const before = await snapshot(updates)
  assert.equal((await release('1.0.0')).kind, 'unchanged')
  assert.deepEqual(await snapshot(updates), before)
})

test('a published version is not released again with other bytes', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const before = await snapshot(updates)
  await writeAgents('echo other')
  await assert.rejects(release('1.0.0'), failsWith('ERR_PUBLISH_EXISTS', /already published with other bytes: 1\.0\.0/))
  assert.deepEqual(await snapshot(updates), before)
})

test('a version older than the live one is refused before anything is built', async (t) => {
  const { release, change } = await makeProject(t)
  await release('1.1.0')
  await change({ build: { type: 'command', command: 'false' } })
  for (const version of ['1.0.9', '1.1.0-rc.1', '1.1.0+other']) {
    await assert.rejects(release(version), failsWith('ERR_POLICY_REFUSED', /not newer than the live 1\.1\.0/))
  }
})

test('a clock that is behind the live manifest is refused', async (t) => {
  const { release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await writeAgents('echo 2')
  const now = (): number => Date.now() - HOUR_MS
  await assert.rejects(release('1.0.1', {}, { now }), failsWith('ERR_TRUST_DATE', /this clock says/))
})

test('an expired rollout does not keep the next release from replacing it', async (t) => {
  const { release, writeAgents } = await makeProject(t)
  await release('1.0.0', { expires: '1h' })
  await writeAgents('echo 2')
  const now = (): number => Date.now() + 2 * HOUR_MS
  assert.equal((await release('1.0.1', {}, { now })).rollout?.sequence, 2)
})

test('a version whose manifest never went live is finished as it was signed, also when the build differs', async (t) => {
  const { updates, release, readJson, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await rm(join(updates, 'version.json'))
  const signed = await readJson<Published>('updates/releases/1.0.0.json')
  await writeAgents('echo another build')
  const notes: string[] = []
  const on = (event: ReleaseEvent): void => {
    if (event.kind === 'note') notes.push(event.text)
  }
  assert.equal((await release('1.0.0', {}, { on })).kind, 'published')
  assert.equal((await readJson<Published>('updates/version.json')).release_date, signed.release_date)
  assert.match(notes.join(), /^1\.0\.0 was signed and uploaded on .*The build just made differs and is not used/)
})

test('artifacts of a version without a release document are replaced', async (t) => {
  const { dir, release, read } = await makeProject(t)
  await writeTree(dir, { 'updates/bin/1.0.0/probe-linux-amd64': 'half' })
  await release('1.0.0')
  assert.match(await read('updates/bin/1.0.0/probe-linux-amd64'), /# linux-amd64/)
})

test('a damaged artifact of a published version is repaired by the same build only', async (t) => {
  const { dir, release, read, writeAgents } = await makeProject(t)
  await release('1.0.0')
  await rm(join(dir, 'updates/version.json'))
  await writeFile(join(dir, 'updates/bin/1.0.0/probe-linux-amd64'), 'damaged')
  await writeAgents('echo another build')
  await assert.rejects(release('1.0.0'), failsWith('ERR_PUBLISH_FAILED', /missing or damaged/))
  await writeAgents('echo 1')
  await release('1.0.0')
  assert.match(await read('updates/bin/1.0.0/probe-linux-amd64'), /# linux-amd64/)
})

test('a release document that somebody else signed is not published', async (t) => {
  const { dir, release } = await makeProject(t)
  const other = await makeProject(t)
  await other.release('1.0.0')
  await writeTree(dir, { 'updates/releases/1.0.0.json': await other.read('updates/releases/1.0.0.json') })
  await assert.rejects(release('1.0.0'), failsWith('ERR_PUBLISH_EXISTS', /does not verify/))
})

test('a live manifest of another project stops the release', async (t) => {
  const { dir, release } = await makeProject(t)
  const other = await makeProject(t)
  await other.release('1.0.0')
  await writeTree(dir, { 'updates/version.json': await other.read('updates/version.json') })
  await assert.rejects(release('2.0.0'), failsWith('ERR_PUBLISH_FAILED', /live manifest does not verify/))
})

test('a key that is not in the root is refused before anything is built or uploaded', async (t) => {
  const { updates, change, release } = await makeProject(t)
  await change({ build: { type: 'command', command: 'false' } })
  const env = { MOULT_KEY: encodeBase64(new Uint8Array(32).fill(9)) }
  await assert.rejects(
    release('1.0.0', {}, { env }),
    failsWith('ERR_CONFIG_KEY', /not a key of the role release in root 1/),
  )
  await assert.rejects(readdir(updates))
})

test('channels have manifests of their own, with URLs that lead to the same folders', async (t) => {
  const { dir, updates, release, readJson } = await makeProject(t)
  await release('1.0.0')
  await release('2.0.0-beta.1', { channel: 'beta', percent: 10 })
  const manifest = await readJson<Published>('updates/beta/version.json')
  assert.equal(manifest.binaries['linux-amd64']?.url, 'bin/2.0.0-beta.1/probe-linux-amd64')
  const { channel, sequence, stages, base } = manifest.rollout
  assert.deepEqual([channel, sequence, stages[0]?.percent, base], ['beta', 1, 10, '../'])
  assert.equal((await readJson<Published>('updates/version.json')).version, '1.0.0')
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  await verifyPublished({ place: updates, root, channel: 'beta' })
})

test('a base URL makes every URL absolute', async (t) => {
  const { release, readJson } = await makeProject(t)
  await release('1.0.0', { baseUrl: 'https://updates.example.com/agent/' })
  const { binaries } = await readJson<Published>('updates/version.json')
  assert.equal(binaries['linux-amd64']?.url, 'https://updates.example.com/agent/bin/1.0.0/probe-linux-amd64')
})

test('a signed release keeps its URLs: the same on every channel, and no other base URL', async (t) => {
  const { release } = await makeProject(t)
  await release('1.0.0', { channel: 'beta' })
  assert.equal((await release('1.0.0')).kind, 'published')
  const baseUrl = 'https://updates.example.com'
  await release('1.0.1', { channel: 'beta' })
  await assert.rejects(release('1.0.1', { baseUrl }), failsWith('ERR_PUBLISH_EXISTS', /another base URL/))
})

const IMAGE = `registry.example.com:5000/agents/probe:1.0@sha256:${'5c'.repeat(32)}`

test('stages, guards and the container image come from the options', async (t) => {
  const { release, readJson } = await makeProject(t)
  const now = (): number => Date.UTC(2026, 10, 21)
  const options = {
    stages: '0h:5%,24h:100%',
    expires: '30d',
    minVersion: '0.9.0',
    rollbackFloor: '0.8.0',
    containerImage: IMAGE,
  }
  await release('1.0.0', options, { now })
  const { rollout, ...document } = await readJson<Published>('updates/version.json')
  assert.deepEqual([document.min_version, document.rollback_floor, document.container_image], ['0.9.0', '0.8.0', IMAGE])
  assert.deepEqual(rollout.stages, [
    { at: '2026-11-21T00:00:00Z', percent: 5 },
    { at: '2026-11-22T00:00:00Z', percent: 100 },
  ])
  assert.equal(rollout.expires, '2026-12-21T00:00:00Z')
})

test('options that make no sense are usage errors', async (t) => {
  const { release } = await makeProject(t)
  for (const options of [
    { percent: 101 },
    { percent: 1.5 },
    { percent: Number.NaN },
    { percent: 5, stages: '0h:5%' },
    { stages: 'soon' },
    { expires: '500d' },
    { channel: 'Beta' },
    { channel: 'trust' },
    { minVersion: 'latest' },
    { minVersion: '1.0.1' },
    { rollbackFloor: '2.0.0' },
    { baseUrl: 'updates.example.com' },
    { changelog: 'x'.repeat(17_000) },
    { containerImage: 'registry.example.com/probe:1.0' },
    { containerImage: 'registry.example.com/probe@sha256:0' },
  ]) {
    await assert.rejects(
      release('1.0.0', options),
      failsWith('ERR_USAGE_INVALID'),
      JSON.stringify(options).slice(0, 60),
    )
  }
})

test('a tree is published as one file, with its entry', async (t) => {
  const build = { type: 'directory', path: 'out/{platform}', entry: 'bin/agent' }
  const { dir, release, readJson } = await makeProject(t, { build })
  for (const platform of ['linux-amd64', 'darwin-arm64'])
    await writeTree(dir, { [`out/${platform}/bin/agent`]: '#!/bin/sh\n' })
  await release('1.0.0')
  const binary = (await readJson<Published>('updates/version.json')).binaries['linux-amd64']
  assert.deepEqual([binary?.unpack, binary?.entry, binary?.downloads?.length], ['tar', 'bin/agent', 1])
})

test('hooks are signed with the release, shown by the plan and by verify, and part of what a version is', async (t) => {
  const hooks = { preUpdate: 'hooks/check', postUpdate: 'hooks/migrate' }
  const build = { type: 'directory', path: 'out', entry: 'bin/agent', hooks }
  const { dir, updates, release, readJson, change } = await makeProject(t, {
    build,
    platforms: ['linux-amd64'],
    smoke: false,
  })
  const script = '#!/bin/sh\n'
  await writeTree(dir, { 'out/bin/agent': script, 'out/hooks/check': script, 'out/hooks/migrate': script })
  const signed = { 'linux-amd64': { pre_update: 'hooks/check', post_update: 'hooks/migrate' } }
  assert.deepEqual((await release('1.0.0', { plan: true })).hooks, signed)
  await release('1.0.0')
  const { binaries } = await readJson<Published>('updates/version.json')
  assert.deepEqual(binaries['linux-amd64']?.hooks, signed['linux-amd64'])
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  assert.deepEqual((await verifyPublished({ place: updates, root })).hooks, signed)

  await change({ build: { ...build, hooks: { preUpdate: 'hooks/check' } } })
  await assert.rejects(release('1.0.0'), failsWith('ERR_PUBLISH_EXISTS'))
  await change({ build: { ...build, hooks: undefined } })
  assert.ok(!('hooks' in (await release('1.0.1'))))
})

test('with `smoke` an artifact that prints another version is not published', async (t) => {
  const { updates, writeAgents, release, change } = await makeProject(t)
  await change({ platforms: ['linux-amd64'], smoke: true })
  await writeAgents('echo 1.0.1')
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED', /smoke run/))
  await assert.rejects(readdir(updates))
  assert.equal((await release('1.0.1')).kind, 'published')
})

test('an artifact of this platform that does not answer --version is not published', async (t) => {
  const { dir, updates, release, change } = await makeProject(t)
  await change({ platforms: [HOST, 'plan9-amd64'], build: { type: 'files', path: 'bin/agent' } })
  await writeTree(dir, { 'bin/agent': '#!/bin/sh\necho sorry; exit 1\n' })
  await assert.rejects(release('1.0.0'), (error: MoultError) => {
    assert.equal(error.code, 'ERR_BUILD_FAILED')
    assert.match(error.message, /smoke run .*sorry/s)
    return /"smoke": false/.test(error.hint ?? '')
  })
  await assert.rejects(readdir(updates))
  await change({ smoke: false })
  assert.equal((await release('1.0.0')).kind, 'published')
})

test('the entry of a tree is run as it will be unpacked', async (t) => {
  const build = { type: 'directory', path: 'out', entry: 'bin/agent' }
  const { dir, release } = await makeProject(t, { build, platforms: [HOST] })
  await writeTree(dir, { 'out/bin/agent': '#!/bin/sh\ntest -f "${0%/*}/../data"\n' })
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED', /exit status 1/))
  await writeTree(dir, { 'out/data': 'here' })
  assert.equal((await release('1.0.0')).kind, 'published')
})

test('what a command builds must print the version, what was built elsewhere need not', async (t) => {
  const command = ['cp', 'agent', '{out}']
  const { dir, change, release } = await makeProject(t, { build: { type: 'command', command }, platforms: [HOST] })
  await writeTree(dir, { agent: '#!/bin/sh\necho 0.9.9\n' })
  await assert.rejects(release('1.0.0'), failsWith('ERR_BUILD_FAILED', /1\.0\.0 is not in its output/))
  await change({ build: { type: 'files', path: 'agent' } })
  assert.equal((await release('1.0.0')).kind, 'published')
})

test('nothing of a release stays in the temporary folder, whether it succeeds or not', async (t) => {
  const own = join((await makeProject(t)).dir, 'tmp')
  const { release, change, dir } = await makeProject(t)
  await writeTree(own, { keep: '' })
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = own
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  assert.equal(tmpdir(), own)
  await release('1.0.0')
  await change({ build: { type: 'files', path: 'none' } })
  await assert.rejects(release('1.0.1'))
  assert.deepEqual(await readdir(own), ['keep'])
  assert.equal((await readConfig(join(dir, 'moult.config.json'))).config.name, 'probe')
})

test('an aborted release leaves the live manifest and no lock', async (t) => {
  const { updates, release, writeAgents } = await makeProject(t)
  await release('1.0.0')
  const before = await readFile(join(updates, 'version.json'), 'utf8')
  await writeAgents('echo 2')
  const stop = new AbortController()
  const on = (event: ReleaseEvent): void => {
    if (event.kind === 'step' && event.step === 'publish') stop.abort()
  }
  await assert.rejects(release('1.0.1', {}, { on, signal: stop.signal }), { name: 'AbortError' })
  assert.equal(await readFile(join(updates, 'version.json'), 'utf8'), before)
  assert.ok(!(await readdir(updates)).includes('.lock'))
})
