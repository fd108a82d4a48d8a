// What a person is told who has lost a part of a project.

import assert from 'node:assert/strict'
import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { isMoultError } from '../../manifests/index.ts'
import { makeProject } from './project-fixture.ts'

async function hintOf(work: Promise<unknown>, code: string): Promise<string> {
  const error: unknown = await work.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(isMoultError(error), String(error))
  assert.equal(error.code, code)
  return error.hint ?? ''
}

test('a lost root is restored, and not made anew', async (t) => {
  const { dir, release } = await makeProject(t)
  await rm(join(dir, 'trust'), { recursive: true })
  assert.match(await hintOf(release('1.0.0'), 'ERR_CONFIG_MISSING'), /^Restore it .*agents pin it.* another project/)
})

test('a lost key is restored from a backup, and SECURITY.md says what its loss means', async (t) => {
  const { dir, release } = await makeProject(t)
  await rm(join(dir, 'keys/moult.key'))
  const hint = await hintOf(release('1.0.0'), 'ERR_CONFIG_KEY')
  assert.match(hint, /^Restore it from your backup: .*SECURITY\.md/)
  assert.doesNotMatch(hint, /keys new/)
})

test(
  'a command in a hint can be copied although the path has spaces',
  { skip: process.platform === 'win32' },
  async (t) => {
    const { dir, release } = await makeProject(t)
    const key = join(dir, 'keys/moult.key')
    assert.match(key, / /)
    await chmod(key, 0o644)
    assert.ok((await hintOf(release('1.0.0'), 'ERR_CONFIG_KEY')).includes(`\`chmod 600 '${key}'\``))
  },
)
