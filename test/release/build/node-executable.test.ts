import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { buildNodeExecutable } from '../../../release/build/node-executable.ts'

let cwd = ''
before(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'moult-node-'))
  await writeFile(join(cwd, 'agent.ts'), 'await 1\n')
})
after(() => rm(cwd, { recursive: true, force: true }))

const OPTIONS = { entry: 'agent.ts', version: '1.2.3', platform: 'linux-amd64', out: 'agent', cacheDir: 'cache' }

test('a Node that cannot build, or a range, is refused before anything is fetched', async () => {
  for (const nodeVersion of ['24.10.0', '25.4.9', '26', '^26.0.0', 'latest', '26.0.0-rc.1']) {
    await assert.rejects(buildNodeExecutable({ ...OPTIONS, cwd, nodeVersion }), { code: 'ERR_CONFIG_INVALID' })
  }
  assert.deepEqual(await readdir(cwd), ['agent.ts'])
})

test('a platform without a Node is refused before anything is fetched', async () => {
  await assert.rejects(buildNodeExecutable({ ...OPTIONS, cwd, platform: 'windows-arm64' }), {
    code: 'ERR_BUILD_FAILED',
    message: /windows-arm64/,
  })
  assert.deepEqual(await readdir(cwd), ['agent.ts'])
})

test('an agent that cannot be bundled fails before anything is fetched', async () => {
  await assert.rejects(buildNodeExecutable({ ...OPTIONS, cwd }), {
    code: 'ERR_BUILD_FAILED',
    message: /Top-level await/,
  })
  assert.deepEqual(await readdir(cwd), ['agent.ts'])
})
