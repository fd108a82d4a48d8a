import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { readStoredKey } from '../../release/signers/key-file.ts'
import { makeProject, temporaryFolder } from '../release/project-fixture.ts'
import { runMoult } from './moult-process.ts'
import { HAS_TERMINAL, runAtTerminal } from './terminal.ts'

const PASSPHRASE = 'correct horse battery'

test('a key is made, shown, encrypted, and then signs with its passphrase from a file or a variable', async (t) => {
  const { dir, change } = await makeProject(t)
  const key = join(dir, 'keys/moult.key')
  const made = await runMoult(['keys', 'new', 'offline/a.key', '--json'], dir)
  assert.equal(made.code, 0, made.stderr)
  const { kind, id, public: text, path } = JSON.parse(made.stdout) as Record<string, string>
  assert.deepEqual([kind, path], ['made', 'offline/a.key'])
  assert.equal((await stat(join(dir, 'offline/a.key'))).mode & 0o777, 0o600)

  const shown = await runMoult(['keys', 'public', 'offline/a.key', '--out', 'a.pub'], dir)
  assert.deepEqual([shown.stdout, shown.stderr], [`${text}\n`, `Key id ${id}\n`])
  assert.equal((JSON.parse(await readFile(join(dir, 'a.pub'), 'utf8')) as { id: string }).id, id)

  await writeFile(join(dir, 'pass'), `${PASSPHRASE}\nsecond line\n`)
  const encrypted = await runMoult(['keys', 'encrypt', 'keys/moult.key', '--passphrase-file', 'pass'], dir)
  assert.equal(encrypted.code, 0, encrypted.stderr)
  assert.equal((await readStoredKey(key)).kind, 'encrypted')
  await change({ keys: { release: 'keys/moult.key', rollout: 'keys/moult.key' } })

  const none = await runMoult(['release', '1.0.0', '--json'], dir)
  assert.deepEqual([none.code, codeOf(none.stdout)], [2, 'ERR_CONFIG_KEY'])
  const wrong = await runMoult(['release', '1.0.0', '--json'], dir, { MOULT_PASSPHRASE: 'not it at all' })
  assert.deepEqual([wrong.code, codeOf(wrong.stdout)], [2, 'ERR_CONFIG_KEY'])
  const byVariable = await runMoult(['release', '1.0.0'], dir, { MOULT_PASSPHRASE: PASSPHRASE })
  assert.equal(byVariable.code, 0, byVariable.stderr)
  const byFile = await runMoult(['rollout', 'set', '1.0.0', '--percent', '50%', '--passphrase-file', 'pass'], dir)
  assert.equal(byFile.code, 0, byFile.stderr)
  assert.match(byFile.stdout, /^Published probe 1\.0\.0[^]*Sequence 2, 50 % at once/)
})

test('case 44: keys new overwrites nothing, and a short or missing passphrase makes no file', async (t) => {
  const dir = await temporaryFolder(t)
  await runMoult(['keys', 'new', 'a.key'], dir)
  const before = await readFile(join(dir, 'a.key'), 'utf8')
  const again = await runMoult(['keys', 'new', 'a.key', '--json'], dir)
  assert.deepEqual([again.code, codeOf(again.stdout)], [2, 'ERR_USAGE_EXISTS'])
  assert.equal(await readFile(join(dir, 'a.key'), 'utf8'), before)
  for (const env of [{}, { MOULT_PASSPHRASE: 'short' }]) {
    assert.equal((await runMoult(['keys', 'new', 'b.key', '--encrypt'], dir, env)).code, 2)
    await assert.rejects(stat(join(dir, 'b.key')))
  }
})

test('at a terminal the passphrase is asked for twice, and not shown', { skip: !HAS_TERMINAL }, async (t) => {
  const dir = await temporaryFolder(t)
  const made = await runAtTerminal(['keys', 'new', 'a.key', '--encrypt'], dir, [
    `${PASSPHRASE}X\u007F\r`,
    `${PASSPHRASE}\r`,
  ])
  assert.equal(made.code, 0, made.screen)
  assert.match(made.screen, /^Passphrase for a\.key: \r?\nThe same again: \r?\n/)
  assert.ok(!made.screen.includes('horse'))
  assert.equal((await readStoredKey(join(dir, 'a.key'))).kind, 'encrypted')

  const differs = await runAtTerminal(['keys', 'new', 'b.key', '--encrypt'], dir, [`${PASSPHRASE}\r`, 'another one\r'])
  assert.equal(differs.code, 2)
  assert.match(differs.screen, /two different passphrases were typed/)
  const stopped = await runAtTerminal(['keys', 'new', 'c.key', '--encrypt'], dir, ['corr\u0003'])
  assert.equal(stopped.code, 130, stopped.screen)
  for (const name of ['b.key', 'c.key']) await assert.rejects(stat(join(dir, name)))
})

function codeOf(stdout: string): string {
  return (JSON.parse(stdout) as { error: { code: string } }).error.code
}
