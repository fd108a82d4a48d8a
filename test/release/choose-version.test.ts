import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'

import { chooseVersion, nextPatch, type VersionChoice } from '../../release/choose-version.ts'
import { openProject } from '../../release/open-project.ts'
import { surroundingsOf } from '../../release/surroundings.ts'
import { failsWith, makeProject, writeTree } from './project-fixture.ts'

const run = promisify(execFile)

async function choose(
  t: TestContext,
  version: object,
  files: Record<string, string>,
  choice: VersionChoice = {},
  live?: string,
) {
  const { dir, config } = await makeProject(t, { version })
  await writeTree(dir, files)
  const around = surroundingsOf({ env: { PATH: process.env['PATH'] } })
  return { dir, answer: async () => chooseVersion(choice, live, await openProject(config, around), around) }
}

test('the version given wins, with or without a leading v', async (t) => {
  const { answer } = await choose(t, { from: 'file', path: 'VERSION' }, {}, { version: 'v2.0.0-rc.1' })
  assert.equal(await answer(), '2.0.0-rc.1')
})

test('the version comes from package.json', async (t) => {
  const { answer } = await choose(t, { from: 'package.json' }, { 'package.json': '{"version":"1.4.2"}' })
  assert.equal(await answer(), '1.4.2')
})

test('the version comes from a file', async (t) => {
  const { answer } = await choose(t, { from: 'file', path: 'VERSION' }, { VERSION: 'v1.4.2\n' })
  assert.equal(await answer(), '1.4.2')
})

test('the version is the highest tag of the commit', async (t) => {
  const { dir, answer } = await choose(t, { from: 'git-tag' }, {})
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: dir })
  await git('init', '-q')
  await git('commit', '-q', '--allow-empty', '-m', 'one')
  await assert.rejects(answer(), failsWith('ERR_CONFIG_MISSING', /no tag that is a version/))
  for (const tag of ['v1.9.0', 'v1.10.0', 'nightly']) await git('tag', tag)
  assert.equal(await answer(), '1.10.0')
})

test('a text that is no version is refused with its place', async (t) => {
  const { dir, answer } = await choose(t, { from: 'file', path: 'VERSION' }, { VERSION: 'latest' })
  await assert.rejects(answer(), failsWith('ERR_USAGE_INVALID', new RegExp(`"latest" \\(${join(dir, 'VERSION')}\\)`)))
})

test('the next version is the patch after the live one, or the configured one before the first release', async (t) => {
  const version = { from: 'package.json' }
  const files = { 'package.json': '{"version":"1.4.2"}' }
  assert.equal(await (await choose(t, version, files, { next: true }, '3.1.9')).answer(), '3.1.10')
  assert.equal(await (await choose(t, version, files, { next: true })).answer(), '1.4.2')
})

test('after a pre-release comes the version it leads to', () => {
  assert.equal(nextPatch('1.2.0-rc.1'), '1.2.0')
  assert.equal(nextPatch('1.2.0+build.5'), '1.2.1')
  assert.equal(nextPatch('1.2.0-rc-1.x+b-5'), '1.2.0')
})
