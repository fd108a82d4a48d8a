import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, realpath, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { makeDir } from './site.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../../scripts/update-server.sh')
const PRINT_ARGUMENTS = 'console.log(JSON.stringify({ cwd: process.cwd(), args: process.argv.slice(2) }))'

async function makeRepository(t: TestContext, built: boolean) {
  const root = join(await realpath(await makeDir(t)), 'my repository')
  await mkdir(join(root, 'scripts'), { recursive: true })
  await mkdir(join(root, 'dist/cli'), { recursive: true })
  await copyFile(SCRIPT, join(root, 'scripts/update-server.sh'))
  await chmod(join(root, 'scripts/update-server.sh'), 0o755)
  await writeFile(join(root, 'package.json'), '{"type":"module"}')
  if (built) await writeFile(join(root, 'dist/cli/main.js'), PRINT_ARGUMENTS)
  return root
}

test('without arguments ./updates of the current folder is served on port 8090', async (t) => {
  const root = await makeRepository(t, true)
  const { stdout } = await run('./scripts/update-server.sh', [], { cwd: root })
  assert.deepEqual(JSON.parse(stdout), { cwd: root, args: ['serve', './updates', '--port', '8090'] })
})

test('arguments are passed on as they are, from any folder', async (t) => {
  const root = await makeRepository(t, true)
  const cwd = dirname(root)
  const { stdout } = await run('./my repository/scripts/update-server.sh', ['my site', '--port', '0'], { cwd })
  assert.deepEqual(JSON.parse(stdout), { cwd, args: ['serve', 'my site', '--port', '0'] })
})

test('where nothing is built the moult command of the PATH is used', async (t) => {
  const root = await makeRepository(t, false)
  const bin = join(root, 'a bin')
  await mkdir(bin)
  await writeFile(join(bin, 'moult'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 })
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }
  const { stdout } = await run(join(root, 'scripts/update-server.sh'), ['my site'], { env })
  assert.equal(stdout, 'serve\nmy site\n')
})

test('without any build the script says what to do and exits with 2', async (t) => {
  const root = await makeRepository(t, false)
  const env = { PATH: '/usr/bin:/bin' }
  await assert.rejects(run(join(root, 'scripts/update-server.sh'), [], { env }), { code: 2, stderr: /npm run build/ })
})
