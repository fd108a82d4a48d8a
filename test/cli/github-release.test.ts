// A project that is released to GitHub, and agents that update from there: the real release, the real command line of
// the agent, and the double.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { readRoots, setRollout, verifyPublished } from '../../release/index.ts'
import { runMoult, type Outcome } from './moult-process.ts'
import { failsWith, type Fixture, makeProject, temporaryFolder } from '../release/project-fixture.ts'
import { type GitHubDouble, startGitHub, TOKEN } from '../release/publishers/github-double.ts'

const env = { TOKEN }

interface Stage extends Fixture {
  readonly github: GitHubDouble
  readonly publish: (version: string, channel?: string) => Promise<void>
  readonly agent: (channel: string, ...args: readonly string[]) => Promise<Outcome>
}

async function makeStage(t: TestContext, more: Record<string, unknown> = {}): Promise<Stage> {
  const github = await startGitHub(t)
  const target = { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN', ...more }
  const project = await makeProject(t, { publish: { github: target } })
  const home = join(await temporaryFolder(t), 'home')
  return {
    ...project,
    github,
    async publish(version, channel) {
      await project.writeAgents(`echo ${version}`)
      await project.release(version, { channel }, { env })
    },
    agent: (channel, command, ...args) => {
      const root = ['--root', join(project.dir, 'trust/1.root.json'), '--channel', channel]
      const server = `${github.webUrl}/releases/${channel === 'stable' ? 'latest/download' : 'download'}`
      const place = command === 'install' ? ['--server', server, ...root] : []
      return runMoult(['agent', command ?? '', '--home', home, ...place, ...args], project.dir)
    },
  }
}

test('a release lies where GitHub serves it, is verified there, and agents update from there without the API', async (t) => {
  const { dir, github, publish, agent } = await makeStage(t)
  await publish('1.0.0')
  const { state, requests, downloads, webUrl } = github
  assert.deepEqual(
    [...state.releases.values()]
      .filter(({ draft }) => !draft)
      .map(({ tag }) => tag.replace(/[0-9a-f]{64}$/, '<sha256>')),
    ['bin/1.0.0', 'trust/1', 'history/<sha256>', 'manifests/stable/1'],
  )
  assert.ok(
    downloads.includes('GET web /acme/agent/releases/download/bin/1.0.0/release.json'),
    'it was read back there',
  )
  const before = requests.length
  const latest = `${webUrl}/releases/latest/download`
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  assert.equal((await verifyPublished({ place: `${latest}/version.json`, root })).version, '1.0.0')

  const installed = await agent('stable', 'install')
  assert.equal(installed.code, 0, installed.stderr)
  assert.equal(requests.length, before, 'the API was asked')
  await publish('1.0.1')
  const published = requests.length
  const updated = await agent('stable', 'check', '--apply')
  assert.equal(updated.code, 100, updated.stderr)
  downloads.length = 0
  assert.equal((await agent('stable', 'check')).code, 0)
  assert.equal(requests.length, published, 'the API was asked')
  assert.match(downloads.at(-1) ?? '', /^GET storage .* if-none-match$/)
})

test('a change of the rollout alone is a new latest release', async (t) => {
  const { config, dir, github, publish } = await makeStage(t)
  await publish('1.0.0')
  await setRollout({ config, version: '1.0.0', percent: 10 }, { env })
  assert.equal(github.state.latest()?.tag, 'manifests/stable/2')
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  const { sequence } = await verifyPublished({ place: `${github.webUrl}/releases/latest/download/`, root })
  assert.equal(sequence, 2)
})

test('a release that a rule pins to, and the one before, are fetched from where GitHub serves them', async (t) => {
  const { config, github, publish, agent, release } = await makeStage(t)
  await publish('1.0.0')
  await release('1.1.0', { percent: 0 }, { env })
  github.downloads.length = 0
  const installed = await agent('stable', 'install', '--json')
  assert.equal(installed.code, 0, installed.stderr)
  assert.match(installed.stdout, /"1\.0\.0"/, 'a machine that starts today is held back from 1.1.0')
  assert.ok(github.downloads.includes('GET web /acme/agent/releases/download/bin/1.0.0/release.json'))
  await setRollout({ config, rules: ['all -> pin 1.1.0'] }, { env })
  const updated = await agent('stable', 'check', '--apply')
  assert.equal(updated.code, 100, updated.stderr)
  assert.ok(github.downloads.includes('GET web /acme/agent/releases/download/bin/1.1.0/release.json'))
})

test('a release without a rollout is public, and is offered by whoever has the rollout key', async (t) => {
  const { config, github, release } = await makeStage(t)
  await release('1.0.0', { rollout: false }, { env })
  assert.ok(github.state.published('bin/1.0.0'))
  assert.equal(github.state.published('manifests/stable/1'), undefined)
  await setRollout({ config, version: '1.0.0' }, { env })
  assert.equal(github.state.latest()?.tag, 'manifests/stable/1')
})

test('case 97: an agent survives the moment in which the manifest of its channel does not exist', async (t) => {
  const { github, publish, agent } = await makeStage(t)
  await publish('1.0.0', 'beta')
  const installed = await agent('beta', 'install')
  assert.equal(installed.code, 0, installed.stderr)

  let inGap: Outcome | undefined
  github.onChange = async ({ method, path }) => {
    const beta = github.state.published('beta')
    const isGone = ![...(beta?.assets.values() ?? [])].some(({ name }) => name === 'version.json')
    if (method === 'DELETE' && path.startsWith('/releases/assets/') && isGone)
      inGap ??= await agent('beta', 'check', '--apply')
  }
  await publish('1.0.1', 'beta')
  assert.equal(inGap?.code, 20)
  assert.match(inGap?.stderr ?? '', /status 404: .*\ncode: ERR_NETWORK_STATUS/s)
  const after = await agent('beta', 'check', '--apply')
  assert.equal(after.code, 100, after.stderr)
})

test('a channel in a repository of its own is never without a manifest', async (t) => {
  const { github, publish, dir } = await makeStage(t, { latest: 'beta' })
  await publish('1.0.0', 'beta')
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  const place = `${github.webUrl}/releases/latest/download/version.json`
  assert.equal((await verifyPublished({ place, root, channel: 'beta' })).version, '1.0.0')
  github.onChange = () => assert.notEqual(github.state.latest()?.tag.startsWith('manifests/beta/'), false)
  await publish('1.0.1', 'beta')
  assert.equal((await verifyPublished({ place, root, channel: 'beta' })).version, '1.0.1')
})

test('case 96: what GitHub serves wrongly is found through its public address, and the manifest before is put back', async (t) => {
  const { github, publish, release, writeAgents } = await makeStage(t)
  await publish('1.0.0')
  const { state } = github
  const before = [...(state.latest()?.assets.values() ?? [])][0]?.bytes
  // The storage damages an artifact once it is public.
  github.onChange = ({ method, path }) => {
    const publicNow = method === 'PATCH' && path.startsWith('/releases/') ? state.published('bin/1.0.1') : undefined
    for (const asset of publicNow?.assets.values() ?? []) if (asset.name === 'probe-linux-amd64') asset.bytes.fill(0)
  }
  await writeAgents('echo 1.0.1')
  await assert.rejects(release('1.0.1', {}, { env }), failsWith('ERR_PUBLISH_READ_BACK'))
  assert.equal(state.latest()?.tag, 'manifests/stable/3')
  assert.deepEqual([...(state.latest()?.assets.values() ?? [])][0]?.bytes, before)
})

test('without a token nothing is built, and the message names the variable; verifying needs none', async (t) => {
  const { dir, github, publish, release } = await makeStage(t)
  await publish('1.0.0')
  await assert.rejects(release('1.0.1', {}, { env: {} }), failsWith('ERR_CONFIG_MISSING', /no token for GitHub: TOKEN/))
  const verified = await runMoult(['verify'], dir)
  assert.equal(verified.code, 0, verified.stderr)
  github.state.isPrivate = true
  await assert.rejects(release('1.0.1', {}, { env }), failsWith('ERR_PUBLISH_REFUSED', /private repository/))
})

test('the configuration stays as it is, and the token is in no output', async (t) => {
  const { config, dir, github, writeAgents } = await makeStage(t)
  const before = await readFile(config, 'utf8')
  await writeAgents('echo 1')
  github.fault = ({ method }) => (method === 'POST' ? { status: 401, message: 'Bad credentials' } : undefined)
  const refused = await runMoult(['release', '1.0.0', '--json'], dir, env)
  assert.equal(refused.code, 27)
  assert.match(refused.stdout, /ERR_PUBLISH_REFUSED/)
  assert.ok(!`${refused.stdout}${refused.stderr}`.includes(TOKEN))
  assert.equal(await readFile(config, 'utf8'), before)
})
