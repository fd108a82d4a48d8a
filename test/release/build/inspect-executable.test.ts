import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { platformOf } from '../../../manifests/platform.ts'
import { assertPlatform, inspectExecutable } from '../../../release/build/inspect-executable.ts'
import { elf, machO, pe } from './synthetic-executables.ts'

let directory = ''
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'moult-inspect-'))
})
after(() => rm(directory, { recursive: true, force: true }))

async function inspect(bytes: Uint8Array | string): Promise<string> {
  const path = join(directory, 'file')
  await writeFile(path, bytes)
  const { format, os, arch } = await inspectExecutable(path)
  return `${format} ${os}-${arch}`
}

test('system and processor are read from ELF, Mach-O and PE headers', async () => {
  assert.equal(await inspect(elf(0x3e)), 'elf linux-amd64')
  assert.equal(await inspect(elf(0xb7, { type: 3 })), 'elf linux-arm64')
  assert.equal(await inspect(elf(0x3e, { osAbi: 9 })), 'elf freebsd-amd64')
  assert.equal(await inspect(elf(0x15)), 'elf linux-ppc64le')
  assert.equal(await inspect(machO(0x0100000c)), 'mach-o darwin-arm64')
  assert.equal(await inspect(machO(0x01000007)), 'mach-o darwin-amd64')
  assert.equal(
    await inspect(Buffer.concat([Buffer.from('cafebabe00000002', 'hex'), Buffer.alloc(100)])),
    'mach-o darwin-universal',
  )
  assert.equal(await inspect(pe(0x8664)), 'pe windows-amd64')
  assert.equal(await inspect(pe(0xaa64)), 'pe windows-arm64')
  assert.equal(await inspect('#!/bin/sh\n'), 'script any-any')
})

test('the Node that runs this test is recognized', async () => {
  const { os, arch } = await inspectExecutable(process.execPath)
  assert.equal(`${os}-${arch}`, platformOf(process.platform, process.arch))
})

test('other files are refused: object files, Java classes, text, nothing', async () => {
  const javaClass = Buffer.concat([Buffer.from('cafebabe00000041', 'hex'), Buffer.alloc(100)])
  for (const bytes of [
    elf(0x3e, { type: 1 }),
    elf(0x7777),
    javaClass,
    Buffer.from('MZ'),
    pe(1),
    'console.log(1)',
    '',
  ]) {
    await assert.rejects(inspect(bytes), { code: 'ERR_BUILD_FAILED' })
  }
})

test('a file for another platform is refused by name; a script fits all but Windows', async () => {
  const path = join(directory, 'file')
  await writeFile(path, elf(0xb7))
  await assertPlatform(path, 'linux-arm64')
  await assert.rejects(assertPlatform(path, 'linux-amd64'), {
    code: 'ERR_BUILD_FAILED',
    message: /is linux-arm64, not linux-amd64$/,
  })
  await writeFile(path, '#!/usr/bin/env node\n')
  await assertPlatform(path, 'linux-amd64')
  await assert.rejects(assertPlatform(path, 'windows-amd64'), { code: 'ERR_BUILD_FAILED' })
})
