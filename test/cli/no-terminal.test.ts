// In a pipeline nobody can answer: whatever asks at a terminal is a typed error elsewhere, at once.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { makeProject } from '../release/project-fixture.ts'
import { runMoult } from './moult-process.ts'

interface Failure {
  readonly error: { readonly code: string; readonly hint?: string }
}

test('without a terminal a missing passphrase is an error that names the other ways', async (t) => {
  const { dir } = await makeProject(t)
  const key = join('keys', 'moult.key')
  const before = await readFile(join(dir, key), 'utf8')
  const asked = await runMoult(['keys', 'encrypt', key, '--json'], dir)
  assert.equal(asked.code, 2, asked.stderr)
  const { error } = JSON.parse(asked.stdout) as Failure
  assert.equal(error.code, 'ERR_CONFIG_KEY')
  assert.match(error.hint ?? '', /MOULT_PASSPHRASE.*--passphrase-file/)
  assert.equal(await readFile(join(dir, key), 'utf8'), before)

  const env = { MOULT_PASSPHRASE: 'correct horse battery staple' }
  assert.equal((await runMoult(['keys', 'encrypt', key, '--json'], dir, env)).code, 0)
  const locked = await runMoult(['release', '1.0.0', '--json'], dir)
  assert.deepEqual([locked.code, (JSON.parse(locked.stdout) as Failure).error.code], [2, 'ERR_CONFIG_KEY'])
  const released = await runMoult(['release', '1.0.0', '--json'], dir, env)
  assert.equal(released.code, 0, released.stdout)
  assert.equal((JSON.parse(released.stdout) as { kind: string }).kind, 'published')
})
