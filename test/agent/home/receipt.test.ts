import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt } from '../../../agent/home/home.ts'
import { formatReceipt, programOf, readReceipt, type Receipt } from '../../../agent/home/receipt.ts'
import { makeDir } from '../field.ts'

const RECEIPT: Receipt = { version: '1.0.0', sha256: 'a'.repeat(64), size: 5, entry: 'bin/agent' }

function install(t: TestContext, receipt: string): Home {
  const home = homeAt(makeDir(t))
  fs.mkdirSync(join(home.versions, '1.0.0/bin'), { recursive: true })
  fs.writeFileSync(join(home.versions, '1.0.0/.receipt'), receipt)
  fs.writeFileSync(join(home.versions, '1.0.0/bin/agent'), 'x', { mode: 0o755 })
  return home
}

describe('a receipt', () => {
  test('comes back as it was written', (t) => {
    for (const receipt of [RECEIPT, { ...RECEIPT, rollbackFloor: '0.9.0' }]) {
      assert.deepEqual(readReceipt(install(t, formatReceipt(receipt)), '1.0.0'), receipt)
    }
  })

  test('is none when it is damaged, of another version, or names a program elsewhere', (t) => {
    const text = formatReceipt(RECEIPT)
    for (const bad of [
      '',
      text.slice(0, 30),
      text.replace('1.0.0', '1.0.1'),
      text.replace('aaaa', 'AAAA'),
      text.replace('size=5', 'size=x'),
      ...['', '/bin/sh', '../1.0.1/agent', 'bin/../../x', 'bin//agent', './agent', '.'].map((entry) =>
        text.replace('bin/agent', entry),
      ),
    ]) {
      const home = install(t, bad)
      assert.equal(readReceipt(home, '1.0.0'), undefined, JSON.stringify(bad))
      assert.equal(programOf(home, '1.0.0'), undefined)
    }
  })

  test('gives a program only when that is a file that can be run and is not empty', (t) => {
    const home = install(t, formatReceipt(RECEIPT))
    const program = join(home.versions, '1.0.0/bin/agent')
    assert.equal(programOf(home, '1.0.0'), program)
    fs.chmodSync(program, 0o644)
    assert.equal(programOf(home, '1.0.0'), undefined)
    fs.chmodSync(program, 0o755)
    fs.truncateSync(program)
    assert.equal(programOf(home, '1.0.0'), undefined)
    fs.rmSync(program)
    fs.mkdirSync(program)
    assert.equal(programOf(home, '1.0.0'), undefined)
  })
})
