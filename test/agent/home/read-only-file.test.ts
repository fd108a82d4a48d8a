import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { openReadOnly } from '../../../agent/home/read-only-file.ts'
import { sha256 } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, makeDir } from '../field.ts'

const BYTES = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * index) >>> 8))

describe('a file that is read from anywhere', BOUNDED, () => {
  test('gives the bytes that it hashed, under whatever name it goes', async (t) => {
    const path = join(makeDir(t), 'old')
    fs.writeFileSync(path, BYTES)
    const file = await openReadOnly(path)
    t.after(() => file.close())
    fs.renameSync(path, `${path}.1`)
    fs.writeFileSync(path, 'another')
    assert.equal(await file.hash(), sha256(BYTES))
    const target = new Uint8Array(1000)
    file.read(target, 2_345_678)
    assert.deepEqual(Buffer.from(target), BYTES.subarray(2_345_678, 2_346_678))
    assert.equal(file.length, BYTES.length)
  })

  test('fails at its end, also where that has come nearer', async (t) => {
    const path = join(makeDir(t), 'old')
    fs.writeFileSync(path, BYTES)
    const file = await openReadOnly(path)
    t.after(() => file.close())
    const readAt = (position: number) => failureOf(() => file.read(new Uint8Array(10), position))
    assert.equal((await readAt(BYTES.length - 9)).code, 'ERR_STAGE_IO')
    file.read(new Uint8Array(10), BYTES.length - 10)
    fs.truncateSync(path, 1000)
    assert.equal((await readAt(BYTES.length - 10)).code, 'ERR_STAGE_IO')
    assert.equal((await failureOf(() => file.hash())).code, 'ERR_STAGE_IO')
  })

  test('is neither a directory nor a link, nor a pipe, which is not waited for', async (t) => {
    const dir = makeDir(t)
    assert.equal((await failureOf(() => openReadOnly(dir))).code, 'ERR_STAGE_IO')
    fs.symlinkSync('/etc/passwd', join(dir, 'link'))
    await assert.rejects(openReadOnly(join(dir, 'link')), { code: 'ELOOP' })
    assert.equal(spawnSync('mkfifo', [join(dir, 'pipe')]).status, 0)
    assert.equal((await failureOf(() => openReadOnly(join(dir, 'pipe')))).code, 'ERR_STAGE_IO')
  })

  test('is hashed no further once the work is stopped', async (t) => {
    const path = join(makeDir(t), 'old')
    fs.writeFileSync(path, BYTES)
    const file = await openReadOnly(path)
    t.after(() => file.close())
    await assert.rejects(file.hash(AbortSignal.abort(new Error('stopped'))), /stopped/)
  })
})
