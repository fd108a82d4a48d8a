import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { disk } from '../../../agent/home/disk.ts'
import { readIfPossible, readSmallFile, replaceFile } from '../../../agent/home/durable-file.ts'
import { failureOf, makeDir, mountTmpfs } from '../field.ts'

describe('a durable file', () => {
  test('is replaced whole, with its mode, and nothing beside it', (t) => {
    const path = join(makeDir(t), 'file')
    replaceFile(disk, path, 'one')
    replaceFile(disk, path, Buffer.from('two'), 0o640)
    assert.equal(fs.readFileSync(path, 'utf8'), 'two')
    assert.equal(fs.statSync(path).mode & 0o777, 0o640)
    assert.deepEqual(fs.readdirSync(join(path, '..')), ['file'])
  })

  test('is never written through a link that lies in wait under the temporary name', (t) => {
    const path = join(makeDir(t), 'file')
    const victim = join(makeDir(t), 'victim')
    fs.writeFileSync(victim, 'precious')
    fs.symlinkSync(victim, `${path}.new`)
    replaceFile(disk, path, 'one')
    assert.equal(fs.readFileSync(victim, 'utf8'), 'precious')
    assert.equal(fs.lstatSync(path).isSymbolicLink(), false)
  })

  test('keeps its old content when the disk is full or read-only, and says which', async (t) => {
    const mounted = mountTmpfs(t, '1m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const path = join(mounted, 'file')
    replaceFile(disk, path, 'old')
    const filler = join(mounted, 'filler')
    const { bavail, bsize } = fs.statfsSync(mounted)
    fs.writeFileSync(filler, Buffer.alloc((bavail - 2) * bsize))
    // Room for a part of it: a short write is no error.
    assert.equal((await failureOf(() => replaceFile(disk, path, Buffer.alloc(100_000)))).code, 'ERR_STAGE_SPACE')
    spawnSync('mount', ['-o', 'remount,ro', mounted])
    assert.equal((await failureOf(() => replaceFile(disk, path, 'new'))).code, 'ERR_STAGE_READ_ONLY')
    assert.equal(fs.readFileSync(path, 'utf8'), 'old')
    assert.deepEqual(fs.readdirSync(mounted).toSorted(), ['file', 'filler'])
  })

  test('that something stands in for is none when a pipe or a device lies there, which could hold up the program', (t) => {
    const directory = makeDir(t)
    const [pipe, zero, plain] = ['pipe', 'zero', 'plain'].map((name) => join(directory, name))
    assert.equal(spawnSync('mkfifo', [pipe ?? '']).status, 0)
    fs.symlinkSync('/dev/zero', zero ?? '')
    fs.writeFileSync(plain ?? '', 'text')
    const module = import.meta.resolve('../../../agent/home/durable-file.ts')
    const script = `
      import { readIfPossible } from ${JSON.stringify(module)}
      console.log(process.argv.slice(1).map((path) => String(readIfPossible(path))).join())`
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, pipe ?? '', zero ?? '', plain ?? '']
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' })
    assert.equal(stdout, 'undefined,undefined,text\n')
  })

  test('is written in the order that a power cut cannot break', (t) => {
    const dir = makeDir(t)
    const trace = join(dir, 'trace')
    const [own, port] = ['durable-file.ts', 'disk.ts'].map((name) =>
      JSON.stringify(import.meta.resolve(`../../../agent/home/${name}`)),
    )
    const script = `Promise.all([import(${own}), import(${port})]).then(([own, port]) => own.replaceFile(port.disk, ${JSON.stringify(join(dir, 'file'))}, 'x'))`
    const strace = [
      '-f',
      '-y',
      '-o',
      trace,
      '-e',
      'trace=write,fsync,rename',
      process.execPath,
      '--import',
      'tsx',
      '-e',
      script,
    ]
    if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) return t.skip('no strace here')
    assert.equal(spawnSync('strace', strace).status, 0)
    const lines = fs.readFileSync(trace, 'utf8').split('\n')
    const steps = [
      lines.findIndex((line) => line.includes(`write(`) && line.includes('/file.new>')),
      lines.findIndex((line) => line.includes('fsync(') && line.includes('/file.new>')),
      lines.findIndex((line) => line.includes('rename(') && line.includes('/file.new"')),
      lines.findIndex((line) => line.includes('fsync(') && line.includes(`<${dir}>`)),
    ]
    assert.ok(
      steps.every((step) => step >= 0),
      lines.filter((line) => line.includes(dir)).join('\n'),
    )
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    )
  })

  test('reads as nothing only when it is absent; too large as empty, and what cannot be read is an error', (t) => {
    const dir = makeDir(t)
    fs.writeFileSync(join(dir, 'file'), 'four')
    assert.equal(readSmallFile(join(dir, 'file'), 4)?.toString(), 'four')
    assert.equal(readSmallFile(join(dir, 'file'), 3)?.length, 0)
    assert.equal(readSmallFile(join(dir, 'absent')), undefined)
    assert.equal(readSmallFile(join(dir, 'file', 'below')), undefined)
    assert.throws(() => readSmallFile(dir), { code: 'ERR_STAGE_IO' })
    assert.equal(readIfPossible(dir), undefined)
  })
})
