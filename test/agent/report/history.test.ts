import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { disk } from '../../../agent/home/disk.ts'
import {
  EVENT_KINDS,
  HISTORY_MAX_BYTES,
  appendHistory,
  historyFields,
  readHistory,
} from '../../../agent/report/history.ts'
import { homeAt } from '../../../agent/home/home.ts'
import { MoultError } from '../../../manifests/index.ts'
import { makeDir } from '../field.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const confirmed = (version: string) => ({ kind: 'confirmed', version })

describe('the history', () => {
  test('is one JSON object a line, newest last, for nobody else to read', (t) => {
    const home = homeAt(makeDir(t))
    appendHistory(home, { kind: 'swapped', version: '1.0.1', previous: '1.0.0', duration_ms: 1500, bytes: 9 }, NOON)
    appendHistory(home, confirmed('1.0.1'), NOON + 61_000)
    const lines = fs.readFileSync(home.history, 'utf8').split('\n')
    assert.equal(lines.pop(), '')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      [
        {
          time: '2026-11-21T12:00:00Z',
          kind: 'swapped',
          version: '1.0.1',
          previous: '1.0.0',
          duration_ms: 1500,
          bytes: 9,
        },
        { time: '2026-11-21T12:01:01Z', kind: 'confirmed', version: '1.0.1' },
      ],
    )
    assert.equal(fs.statSync(home.history).mode & 0o777, 0o600)
    assert.deepEqual(
      readHistory(home, 1).map(({ kind }) => kind),
      ['confirmed'],
    )
    assert.equal(readHistory(home).length, 2)
  })

  test('loses one line, and no other, when a crash cuts one off', (t) => {
    const home = homeAt(makeDir(t))
    for (const version of ['1.0.1', '1.0.2']) appendHistory(home, confirmed(version), NOON)
    const whole = fs.readFileSync(home.history)
    const secondAt = whole.indexOf('\n') + 1
    // The last line is whole without its line feed, too: only then is nothing lost.
    for (let size = secondAt; size < whole.length; size += 1) {
      fs.writeFileSync(home.history, whole.subarray(0, size))
      appendHistory(home, confirmed('1.0.3'), NOON)
      const versions = readHistory(home).map(({ version }) => version)
      const kept = size === whole.length - 1 ? ['1.0.1', '1.0.2', '1.0.3'] : ['1.0.1', '1.0.3']
      assert.deepEqual(versions, kept, `cut at ${size}`)
    }
  })

  test('stays below its bound for ever: the older half goes, a line at a time and the newest never', (t) => {
    const home = homeAt(makeDir(t))
    const message = 'x'.repeat(400)
    let largest = 0
    for (let number = 0; number < 1500; number += 1) {
      appendHistory(home, { kind: 'warning', message: `${number} ${message}` }, NOON)
      largest = Math.max(largest, fs.statSync(home.history).size)
    }
    assert.ok(largest > HISTORY_MAX_BYTES * 0.9 && largest <= HISTORY_MAX_BYTES, String(largest))
    const numbers = readHistory(home).map((entry) => Number(entry.message?.split(' ')[0]))
    assert.equal(numbers.at(-1), 1499)
    assert.ok(numbers.length > 200, String(numbers.length))
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => 1500 - numbers.length + index),
    )
    assert.deepEqual(fs.readdirSync(home.path), ['history.jsonl'])
  })

  test('tells a trouble that stays once, until another version runs', (t) => {
    const home = homeAt(makeDir(t))
    const failed = { kind: 'download-failed', source: 'br', code: 'ERR_BYTES_HASH', message: 'x' }
    const warning = { kind: 'warning', message: 'cannot tidy up' }
    for (const fields of [failed, warning, failed, { ...failed, source: 'file' }, warning]) {
      appendHistory(home, fields, NOON)
    }
    const kinds = () => readHistory(home).map(({ kind, source }) => source ?? kind)
    assert.deepEqual(kinds(), ['br', 'warning', 'file'])
    appendHistory(home, { kind: 'swapped', version: '1.0.1' }, NOON)
    appendHistory(home, failed, NOON)
    assert.deepEqual(kinds().slice(3), ['swapped', 'br'])
    for (let start = 1; start < 3; start += 1) appendHistory(home, { kind: 'trial', version: '1.0.1', try: 1 }, NOON)
    assert.equal(kinds().length, 7, 'what happens twice is told twice')
  })

  test('steers no terminal and forges no line, whatever a message holds', (t) => {
    const home = homeAt(makeDir(t))
    const message = `a\u001b[2Jb\nc\u009b31md\u202ee\u2028f${'y'.repeat(9999)}`
    appendHistory(home, { kind: 'warning', message }, NOON)
    const text = fs.readFileSync(home.history, 'utf8')
    assert.doesNotMatch(text.trimEnd(), /[\p{C}\p{Zl}\p{Zp}]|\\[nu]/u)
    assert.match(text, /a\?\[2Jb\?c\?31md\?e\?fyyy/)
    assert.ok(text.length < 600)
    // Nor does a file that somebody else has written.
    fs.writeFileSync(home.history, `{"time":"\\u001b[2J","kind":"x\\n","message":"\\u009b","\\u001b":"y","try":{}}\n`)
    assert.deepEqual(readHistory(home), [{ time: '?[2J', kind: 'x?', message: '?' }])
  })

  test('reads rubbish as nothing, and writes on behind it', (t) => {
    const home = homeAt(makeDir(t))
    for (const rubbish of ['', '\n\n', '{', 'null\n[]\n1\n', '{"time":1,"kind":"x"}\n', '\0'.repeat(4096)]) {
      fs.writeFileSync(home.history, rubbish)
      assert.deepEqual(readHistory(home), [])
      appendHistory(home, confirmed('1.0.1'), NOON)
      assert.equal(readHistory(home).length, 1, JSON.stringify(rubbish.slice(0, 20)))
    }
    fs.writeFileSync(home.history, 'x'.repeat(3 * HISTORY_MAX_BYTES))
    appendHistory(home, confirmed('1.0.1'), NOON)
    assert.ok(fs.statSync(home.history).size < 200)
  })

  test('fails nothing where it cannot be written', (t) => {
    const home = homeAt(makeDir(t))
    appendHistory(homeAt(`${home.path}/absent`), confirmed('1.0.1'), NOON)
    const full = (): never => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
    }
    appendHistory(homeAt(home.path, { ...disk, append: full, writeFile: full }), confirmed('1.0.1'), NOON)
    assert.deepEqual(readHistory(home), [])
    fs.mkdirSync(home.history)
    appendHistory(home, confirmed('1.0.1'), NOON)
    assert.deepEqual(readHistory(home), [])
  })

  test('knows every kind of event, and tells those that change what runs', () => {
    assert.ok(EVENT_KINDS.length > 15)
    const error = new MoultError('ERR_BYTES_HASH', 'the hash is not the signed one')
    assert.deepEqual(historyFields({ kind: 'download-failed', source: 'file', error }), {
      kind: 'download-failed',
      source: 'file',
      code: 'ERR_BYTES_HASH',
      message: 'the hash is not the signed one',
    })
    assert.deepEqual(historyFields({ kind: 'swapped', version: '1.0.0' }), { kind: 'installed', version: '1.0.0' })
    assert.equal(historyFields({ kind: 'download-progress', received: 1, total: 2 }), undefined)
  })
})
