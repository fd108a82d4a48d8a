import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

import { shellWord } from '../../release/shell-word.ts'

test('plain paths stay as they are', () => {
  for (const text of ['keys/moult.key', '/a/b-c_d.e:f@g+h=1,2']) assert.equal(shellWord(text), text)
})

test('a shell reads any other text as one word', { skip: process.platform === 'win32' }, () => {
  for (const text of ['', 'my keys/moult.key', `it's`, '$HOME `id` "x" \\ *', '-n;&|', 'zwei\nzeilen'])
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' }), text)
})
