import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'

import { disk } from '../../../agent/home/disk.ts'
import { unpackTar } from '../../../agent/stage/unpack-tar.ts'
import { sha256 } from '../../../manifests/index.ts'
import { BOUNDED, failureOf, makeDir } from '../field.ts'
import { archive, END, member, pax } from '../tar-bytes.ts'

interface Rig {
  readonly target: string
  readonly unpack: (bytes: Buffer, limit?: number) => Promise<void>
}

function makeRig(t: TestContext): Rig {
  const dir = makeDir(t)
  const target = join(dir, 'target')
  fs.mkdirSync(target)
  return {
    target,
    unpack: async (bytes, limit = bytes.length) => {
      fs.writeFileSync(join(dir, 'archive'), bytes)
      await unpackTar(disk, join(dir, 'archive'), target, { size: limit, sha256: sha256(bytes) })
    },
  }
}

test('unpacking stops at its signal: before an entry, within one, and while the directories are flushed', async (t) => {
  const dir = makeDir(t)
  const many = Array.from({ length: 500 }, (_, index) => ({ name: `d${index}/`, type: '5' }))
  const cases: Record<string, [Buffer, (target: string) => boolean]> = {
    'before an entry': [archive({ name: 'a', body: 'x' }), () => true],
    'within one': [
      archive({ name: 'a', body: Buffer.alloc(60_000_000) }),
      (target) => fs.existsSync(join(target, 'a')),
    ],
    'at the flush': [archive(...many), (target) => fs.existsSync(join(target, 'd499'))],
  }
  for (const [name, [bytes, isTime]] of Object.entries(cases)) {
    const target = join(dir, name)
    fs.mkdirSync(target)
    fs.writeFileSync(join(dir, 'archive'), bytes)
    const stop = new AbortController()
    const watch = setInterval(() => isTime(target) && stop.abort(), 0)
    if (isTime(target)) stop.abort()
    const facts = { size: bytes.length, sha256: sha256(bytes) }
    const unpacking = unpackTar(disk, join(dir, 'archive'), target, facts, stop.signal)
    await assert.rejects(unpacking, { name: 'AbortError' }, name)
    clearInterval(watch)
    if (name === 'within one') assert.ok(fs.statSync(join(target, 'a')).size < 60_000_000)
  }
})

const LONG = `${'d'.repeat(90)}/${'f'.repeat(90)}`
const HOSTILE: Record<string, Buffer> = {
  'a name that climbs': archive({ name: '../evil', body: 'x' }),
  'a name that climbs later': archive({ name: 'a/../../evil', body: 'x' }),
  'a name that goes nowhere': archive({ name: './evil', body: 'x' }),
  'an absolute name': archive({ name: '/tmp/evil', body: 'x' }),
  'a drive': archive({ name: 'C:\\evil', body: 'x' }),
  'a backslash': archive({ name: 'a\\..\\evil', body: 'x' }),
  'a space': archive({ name: 'a b', body: 'x' }),
  'a control character': archive({ name: 'a\u0001b', body: 'x' }),
  'a letter beyond ASCII': archive({ name: 'stra\u00dfe', body: 'x' }),
  'an empty part': archive({ name: 'a//b', body: 'x' }),
  'a symbolic link': archive({ name: 'link', type: '2', link: '/etc' }),
  'a file through a link': archive({ name: 'link', type: '2', link: '/tmp' }, { name: 'link/evil', body: 'x' }),
  'a hard link': archive({ name: 'file', body: 'x' }, { name: 'link', type: '1', link: 'file' }),
  'a hard link to outside': archive({ name: 'link', type: '1', link: '/etc/passwd' }),
  'a character device': archive({ name: 'device', type: '3' }),
  'a block device': archive({ name: 'device', type: '4' }),
  'a FIFO': archive({ name: 'fifo', type: '6' }),
  'a contiguous file': archive({ name: 'file', type: '7', body: 'x' }),
  'a sparse file': archive({ name: 'file', type: 'S', body: 'x' }),
  'an unknown type': archive({ name: 'file', type: 'Q', body: 'x' }, { name: 'agent', body: 'x' }),
  'an entry twice': archive({ name: 'file', body: 'x' }, { name: 'file', body: 'y' }),
  'twins by case': archive({ name: 'Agent', body: 'x' }, { name: 'agent', body: 'y' }),
  'a directory and a file of one name': archive({ name: 'a/', type: '5' }, { name: 'a', body: 'x' }),
  'directories that are twins by case': archive({ name: 'lib/a', body: 'x' }, { name: 'Lib/b', body: 'x' }),
  'a file in place of a directory': archive({ name: 'a/b', body: 'x' }, { name: 'a', body: 'x' }),
  'a file inside a file': archive({ name: 'a', body: 'x' }, { name: 'a/b', body: 'x' }),
  'the receipt': archive({ name: '.receipt', body: 'x' }),
  'the receipt by case': archive({ name: '.Receipt', body: 'x' }),
  'a PAX name that climbs': archive(pax({ path: '../evil' }), { name: 'fine', body: 'x' }),
  'a PAX name of 4 KB': archive(pax({ path: 'n'.repeat(4096) }), { name: 'fine', body: 'x' }),
  'a PAX header that is too large': archive(pax({ comment: 'c'.repeat(100_000) }), { name: 'fine', body: 'x' }),
  'a GNU long name that climbs': archive(member({ name: '././@LongLink', type: 'L', body: '../evil\0' }), {
    name: 'fine',
    body: 'x',
  }),
  'a name of 513 characters': archive(pax({ path: `${'d/'.repeat(256)}f` }), { name: 'fine', body: 'x' }),
  'a NUL in a PAX name': archive(pax({ path: 'fine\0/../../evil' }), { name: 'fine', body: 'x' }),
  'a line feed in a PAX name': archive(pax({ path: 'a\nb' }), { name: 'fine', body: 'x' }),
  'an empty PAX name': archive(pax({ path: '' }), { name: '', body: 'x' }),
  'a drive with a slash': archive({ name: 'C:/evil', body: 'x' }),
  'a drive without a slash': archive({ name: 'C:evil', body: 'x' }),
  'a path of the network': archive({ name: '\\\\host\\share', body: 'x' }),
  'two slashes before it': archive({ name: '//tmp/evil', body: 'x' }),
  'a second stream of a file': archive({ name: 'agent:evil', body: 'x' }),
  'a short name of Windows': archive({ name: 'PROGRA~1', body: 'x' }),
  'a dot at the end': archive({ name: 'agent.', body: 'x' }),
  'a dot at the end of a directory': archive({ name: 'lib./agent', body: 'x' }),
  'dots only': archive({ name: '...', body: 'x' }),
  'a space at the end': archive({ name: 'agent ', body: 'x' }),
  'a device of Windows': archive({ name: 'CON', body: 'x' }),
  'a device of Windows in lower case': archive({ name: 'lib/nul', body: 'x' }),
  'a device of Windows with an ending': archive({ name: 'aux.tar.gz', body: 'x' }),
  'a device of Windows with a number': archive({ name: 'Com1.txt', body: 'x' }),
  'a directory that is a device of Windows': archive({ name: 'lpt9/agent', body: 'x' }),
  'a listed directory that is a device of Windows': archive({ name: 'PRN/', type: '5' }),
  'twins by sharp s': archive({ name: 'strasse', body: 'x' }, pax({ path: 'stra\u00dfe' }), { name: 's', body: 'y' }),
  'twins by normal form': archive(pax({ path: 'caf\u00e9' }), { name: 'c', body: 'x' }, pax({ path: 'cafe\u0301' }), {
    name: 'c',
    body: 'y',
  }),
  'twins by a Turkish i': archive({ name: 'init', body: 'x' }, pax({ path: '\u0130nit' }), { name: 'i', body: 'y' }),
  'twins by the sign of Kelvin': archive({ name: 'k', body: 'x' }, pax({ path: '\u212a' }), { name: 'i', body: 'y' }),
  'twins by a PAX name': archive({ name: 'file', body: 'x' }, pax({ path: 'FILE' }), { name: 'fine', body: 'y' }),
  'twins by a GNU long name': archive({ name: 'file', body: 'x' }, member({ name: 'l', type: 'L', body: 'File\0' }), {
    name: 'fine',
    body: 'y',
  }),
  'a symbolic link to itself': archive({ name: 'loop', type: '2', link: 'loop' }),
  'a symbolic link by a PAX target': archive(pax({ linkpath: '/etc' }), { name: 'link', type: '2', link: 'fine' }),
  'a GNU long link': archive(member({ name: 'l', type: 'K', body: '/etc/passwd\0' }), { name: 'fine', type: '2' }),
  'a GNU directory of names': archive({ name: 'dump/', type: 'D', body: 'Yfile\0' }),
  'a volume label': archive({ name: 'label', type: 'V' }),
  'a part of a file of another volume': archive({ name: 'file', type: 'M', body: 'x' }),
  'a negative size': archive({ name: 'file', body: 'x', size: '-0000000001\0' }),
  'a negative size in base 256': archive({ name: 'file', body: 'x', size: `\xff${'\xff'.repeat(11)}` }),
  'a size beyond what counts exactly': archive({ name: 'file', body: 'x', size: `\x80${'\xff'.repeat(11)}` }),
  'a size that is no number': archive({ name: 'file', body: 'x', size: 'lots of it\0\0' }),
  'a negative PAX size': archive(pax({ size: '-512' }), { name: 'file', body: 'x' }),
  'a PAX size that hides the body': archive(pax({ size: '0' }), { name: 'file', body: 'x' }),
  'a file inside the body of another': archive({ name: 'outer', body: member({ name: 'inner', body: 'x' }), size: 10 }),
  'a checksum that is wrong': Buffer.concat([Buffer.from(member({ name: 'file', body: 'x' }).fill(0x41, 0, 1)), END]),
  'no archive at all': Buffer.alloc(2048, 'x'),
  'nothing in it': END,
  'no bytes': Buffer.alloc(0),
  'compressed content': gzipSync(archive({ name: 'file', body: 'x' })),
}

describe('unpacking a tree', { ...BOUNDED, concurrency: true }, () => {
  test('makes plain files and directories, executable or not, and nothing else of their modes', async (t) => {
    const { target, unpack } = makeRig(t)
    const before = process.umask(0o022)
    await unpack(
      archive(
        { name: 'bin/', type: '5', mode: 0o777 },
        { name: 'bin/agent', body: '#!/bin/sh\n', mode: 0o4755 },
        { name: 'deep/er/data', body: Buffer.alloc(100_000, 'd'), mode: 0o666 },
        { name: 'empty' },
        pax({ path: LONG }),
        { name: 'short', body: 'long' },
      ),
    )
    process.umask(before)
    const modes = ['bin', 'bin/agent', 'deep/er/data', 'empty', LONG].map(
      (name) => `${name} ${(fs.statSync(join(target, name)).mode & 0o7777).toString(8)}`,
    )
    assert.deepEqual(modes, ['bin 755', 'bin/agent 755', 'deep/er/data 644', 'empty 644', `${LONG} 644`])
    assert.equal(fs.statSync(join(target, 'deep/er/data')).size, 100_000)
    assert.equal(fs.readFileSync(join(target, LONG), 'utf8'), 'long')
  })

  test('takes a directory that is listed late, and passes over headers that say nothing of use', async (t) => {
    const { target, unpack } = makeRig(t)
    await unpack(
      archive(
        pax({ path: '../evil' }, 'g'),
        { name: 'a/b', body: 'x' },
        { name: 'a/', type: '5' },
        pax({ linkpath: '/etc', 'GNU.sparse.realsize': '99' }),
        { name: 'plain', body: 'x' },
      ),
    )
    assert.deepEqual(
      new Set(fs.readdirSync(target, { recursive: true, encoding: 'utf8' })),
      new Set(['a', 'a/b', 'plain']),
    )
    assert.ok(fs.lstatSync(join(target, 'plain')).isFile())
  })

  for (const [name, bytes] of Object.entries(HOSTILE)) {
    test(`refuses an archive with ${name}`, async (t) => {
      const { target, unpack } = makeRig(t)
      const error = await failureOf(() => unpack(bytes))
      assert.equal(error.code, 'ERR_STAGE_ARCHIVE', error.stack)
      assert.equal(fs.existsSync(join(target, '../evil')), false)
      assert.equal(fs.existsSync('/tmp/evil'), false)
      for (const entry of fs.readdirSync(target, { recursive: true, withFileTypes: true })) {
        assert.ok(entry.isFile() || entry.isDirectory(), entry.name)
      }
    })
  }

  test('refuses an archive that is cut off at any block or byte', async (t) => {
    const whole = archive({ name: 'one', body: 'x'.repeat(600) }, { name: 'two', body: 'y'.repeat(600) })
    for (const length of [100, 511, 512, 700, 1100, 1600, 2048, 2100, 2700]) {
      const { unpack } = makeRig(t)
      const error = await failureOf(() => unpack(whole.subarray(0, length)))
      assert.equal(error.code, 'ERR_STAGE_ARCHIVE', `${length}: ${error.stack}`)
    }
  })

  test('refuses entries that claim more than the archive has, however they say it', async (t) => {
    for (const bytes of [
      archive({ name: 'file', body: 'x', size: 8 ** 11 - 1 }),
      archive(pax({ size: String(2 ** 40) }), { name: 'file', body: 'x' }),
      archive(...Array.from({ length: 5 }, (_, index) => ({ name: `file${index}`, body: 'x', size: 4000 }))),
    ]) {
      const { unpack } = makeRig(t)
      assert.equal((await failureOf(() => unpack(bytes))).code, 'ERR_STAGE_ARCHIVE')
    }
    const { unpack } = makeRig(t)
    const honest = archive({ name: 'file', body: 'x'.repeat(3000) })
    assert.equal((await failureOf(() => unpack(honest, 2999))).code, 'ERR_STAGE_ARCHIVE')
  })
})
