import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { temporaryFolder, writeTree } from '../release/project-fixture.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/release-local.sh', import.meta.url))
const run = promisify(execFile)

/** The script beside a stand-in for the built program that prints its arguments. */
async function releaseLocal(t: TestContext, ...args: string[]): Promise<string> {
  const dir = await temporaryFolder(t)
  await writeTree(dir, { 'dist/cli/main.js': 'console.log(process.argv.slice(2).join(" "))' })
  await mkdir(join(dir, 'scripts'))
  await copyFile(SCRIPT, join(dir, 'scripts/release-local.sh'))
  return (await run('sh', [join(dir, 'scripts/release-local.sh'), ...args])).stdout.trim()
}

test('a version is passed on', async (t) => {
  assert.equal(await releaseLocal(t, '1.0.1', '--percent', '10'), 'release 1.0.1 --percent 10')
})

test('without a version it is the next one', async (t) => {
  assert.equal(await releaseLocal(t), 'release --next')
  assert.equal(await releaseLocal(t, '--min-version', '1.0.0'), 'release --next --min-version 1.0.0')
})

test('the script is clean', (t) => {
  try {
    execFileSync('shellcheck', ['--version'], { stdio: 'ignore' })
  } catch {
    t.skip('shellcheck is not installed')
    return
  }
  execFileSync('shellcheck', [SCRIPT], { stdio: 'inherit' })
})
