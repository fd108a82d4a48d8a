// The whole way of a delta: the real release, the local server, and the command line of the agent.

import assert from 'node:assert/strict'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { startServer } from '../../local-server/index.ts'
import { platformOf } from '../../manifests/index.ts'
import { agentText, makeDeltaProject } from '../release/deltas/delta-project.ts'
import { temporaryFolder, writeTree } from '../release/project-fixture.ts'
import { type Outcome, runMoult } from './moult-process.ts'

const PLATFORM = platformOf(process.platform, process.arch)

interface Stage {
  readonly dir: string
  readonly moult: (...args: readonly string[]) => Promise<Outcome>
  readonly agent: (...args: readonly string[]) => Promise<Outcome>
  /** Of the requests since the last call: method, path and status of those below `bin/`. */
  readonly downloads: () => string[]
  readonly change: (members: Record<string, unknown>) => Promise<void>
}

async function makeStage(t: TestContext): Promise<Stage> {
  const { dir, updates, change } = await makeDeltaProject(t, { platforms: [PLATFORM] })
  await mkdir(updates, { recursive: true })
  const lines: string[] = []
  const server = await startServer({ dir: updates, port: 0, log: (line) => lines.push(line) })
  t.after(() => server.close())
  const home = join(await temporaryFolder(t), 'home')
  return {
    dir,
    change,
    moult: (...args) => runMoult(args, dir),
    agent: (command = '', ...args) => {
      const place = command === 'install' ? ['--server', server.url, '--root', join(dir, 'trust/1.root.json')] : []
      return runMoult(['agent', command, '--home', home, ...place, ...args], dir)
    },
    downloads: () =>
      lines.splice(0).flatMap((line) => /"GET \/(bin\/\S+) HTTP\/1\.1" (\d+)/.exec(line)?.slice(1, 3).join(' ') ?? []),
  }
}

const programOf = (version: string): string => `#!/bin/sh\necho ${version}; exit 0\n${agentText(version)}`

test('what the command line has released comes to an agent as a delta', async (t) => {
  const { dir, moult, agent, downloads } = await makeStage(t)
  const build = (version: string): Promise<void> => writeTree(dir, { [`bin/agent-${PLATFORM}`]: programOf(version) })
  await build('1.0.0')
  const first = await moult('release', '1.0.0')
  assert.equal(first.code, 0, first.stderr)
  const installed = await agent('install')
  assert.equal(installed.code, 0, installed.stderr)
  downloads()
  await build('1.1.0')
  const second = await moult('release', '1.1.0')
  assert.match(second.stdout, /write bin\/1\.1\.0\/probe-\S+\.from-1\.0\.0 /)
  const updated = await agent('check', '--apply')
  assert.equal(updated.code, 100, updated.stderr)
  assert.deepEqual(downloads(), [`bin/1.1.0/probe-${PLATFORM}.from-1.0.0 200`])

  await build('1.2.0')
  assert.match((await moult('release', '1.2.0', '--plan')).stdout, /write bin\/1\.2\.0\/probe-\S+\.from-1\.1\.0 /)
  const without = await moult('release', '1.2.0', '--no-delta')
  assert.equal(without.code, 0, without.stderr)
  assert.doesNotMatch(without.stdout, /\.from-/)
})

test('a tree comes as a delta, too, whatever its files are called now', async (t) => {
  const { dir, moult, agent, downloads, change } = await makeStage(t)
  await change({ build: { type: 'directory', path: 'out', entry: 'bin/agent' } })
  const build = (version: string): Promise<void> =>
    writeTree(dir, { 'out/bin/agent': `#!/bin/sh\necho ${version}; exit 0\n`, 'out/NOTICE': version })
  await writeTree(dir, { 'out/data/words.txt': agentText('words') })
  await build('1.0.0')
  assert.equal((await moult('release', '1.0.0')).code, 0)
  const installed = await agent('install')
  assert.equal(installed.code, 0, installed.stderr)
  downloads()
  await build('1.1.0')
  await mkdir(join(dir, 'out/share'))
  await rename(join(dir, 'out/data/words.txt'), join(dir, 'out/share/phrases.txt'))
  assert.equal((await moult('release', '1.1.0')).code, 0)
  const updated = await agent('check', '--apply')
  assert.equal(updated.code, 100, updated.stderr)
  assert.deepEqual(downloads(), [`bin/1.1.0/probe-${PLATFORM}.from-1.0.0 200`])
})
