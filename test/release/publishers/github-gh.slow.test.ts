// The double itself, shown to a real client: the command `gh`, which knows nothing of this project. It reaches the double
// as its proxy, so that neither port 80 nor a name in /etc/hosts is needed.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { temporaryFolder } from '../project-fixture.ts'
import { type GitHubDouble, startGitHub, TOKEN } from './github-double.ts'
import { bytesOf, fileOf, namesAt, openDouble } from './github-place.ts'

const HOST = 'github.localhost'
const isMissing = spawnSync('gh', ['--version']).status !== 0
const skip = isMissing && process.env['CI'] === undefined ? 'gh is not installed' : false

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function startStage(
  t: TestContext,
): Promise<{ github: GitHubDouble; dir: string; gh: (...args: string[]) => Promise<Ran> }> {
  const github = await startGitHub(t)
  // gh sends the token for a host of one's own to every host but github.com.
  github.state.isStorageStrict = false
  const dir = await temporaryFolder(t)
  const proxy = new URL(github.apiUrl).origin
  const env = {
    PATH: process.env['PATH'],
    HOME: dir,
    GH_CONFIG_DIR: dir,
    GH_HOST: HOST,
    GH_TOKEN: TOKEN,
    GH_ENTERPRISE_TOKEN: TOKEN,
    GH_NO_UPDATE_NOTIFIER: '1',
    HTTP_PROXY: proxy,
    http_proxy: proxy,
  }
  const gh = async (...args: string[]): Promise<Ran> => {
    const child = spawn('gh', ['-R', `${HOST}/acme/agent`, ...args], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, ...text }
  }
  return { github, dir, gh }
}

test('gh drafts, uploads, publishes, replaces and downloads at the double', { skip }, async (t) => {
  const { github, dir, gh } = await startStage(t)
  const good = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await gh(...args)
    assert.equal(code, 0, `gh ${args.join(' ')}: ${stderr}\n${github.requests.join('\n')}`)
    return stdout
  }
  await writeFile(join(dir, 'one.txt'), 'first')
  await good('release', 'create', 'v1.0.0', '--draft', '--title', 'One', '--notes', 'words', 'one.txt')
  assert.deepEqual(namesAt(github, 'v1.0.0'), ['one.txt'])
  assert.equal(github.state.published('v1.0.0'), undefined)

  await writeFile(join(dir, 'two.txt'), 'second')
  await good('release', 'upload', 'v1.0.0', 'two.txt')
  const taken = await gh('release', 'upload', 'v1.0.0', 'two.txt')
  assert.notEqual(taken.code, 0, 'a name was given twice')
  await good('release', 'edit', 'v1.0.0', '--draft=false')
  assert.equal(github.state.latest()?.tag, 'v1.0.0')
  const again = await gh('release', 'create', 'v1.0.0', '--notes', 'again')
  assert.notEqual(again.code, 0)
  assert.match(again.stderr, /already_exists|already exists/)

  await writeFile(join(dir, 'two.txt'), 'third')
  await good('release', 'upload', 'v1.0.0', 'two.txt', '--clobber')
  await good('release', 'download', 'v1.0.0', '--pattern', 'two.txt', '--dir', join(dir, 'got'))
  assert.equal(await readFile(join(dir, 'got', 'two.txt'), 'utf8'), 'third')
  const view = JSON.parse(await good('release', 'view', 'v1.0.0', '--json', 'tagName,isDraft,assets')) as {
    tagName: string
    isDraft: boolean
    assets: { name: string }[]
  }
  assert.deepEqual([view.tagName, view.isDraft, view.assets.length], ['v1.0.0', false, 2])
  await good('release', 'delete', 'v1.0.0', '--yes')
  assert.equal(github.state.releases.size, 0)
})

test('gh sees and downloads what the publisher has published', { skip }, async (t) => {
  const { github, dir, gh } = await startStage(t)
  const publisher = openDouble(github)
  await publisher.putArtifact('bin/1.0.0/agent-linux-amd64', fileOf('artifact'))
  await publisher.putDocument('releases/1.0.0.json', bytesOf('release'))
  const got = await gh('release', 'download', 'bin/1.0.0', '--dir', join(dir, 'got'))
  assert.equal(got.code, 0, got.stderr)
  assert.equal(await readFile(join(dir, 'got', 'agent-linux-amd64'), 'utf8'), 'artifact')
  assert.equal(await readFile(join(dir, 'got', 'release.json'), 'utf8'), 'release')
})
