import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'

import { unpackTar } from '../../agent/unpack-tar.ts'
import { BOUNDED, failureOf, makeDir } from './field.ts'

interface Member {
  readonly name: string
  readonly type?: string
  readonly body?: string | Buffer
  /** What the header claims, when that is not the length of the body. */
  readonly size?: number
  readonly mode?: number
  readonly link?: string
  readonly magic?: string
}

/** A member by the bytes of POSIX.1-1988 ustar, so that it can say what no tar program would write. */
function member({ name, type = '0', body = '', size, mode = 0o644, link = '', magic = 'ustar\x0000' }: Member): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(512)
  header.write(name, 0, 100, 'latin1')
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
  header.write('0000000\x000000000\0', 108)
  header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(link, 157, 100, 'latin1')
  header.write(magic, 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

function pax(records: Record<string, string>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    let length = Buffer.byteLength(rest) + 1
    while (String(length).length + Buffer.byteLength(rest) !== length)
      length = String(length).length + Buffer.byteLength(rest)
    return `${length}${rest}`
  })
  return member({ name: 'pax', type, body: lines.join('') })
}

const END = Buffer.alloc(1024)
const archive = (...members: readonly (Member | Buffer)[]): Buffer =>
  Buffer.concat([...members.map((one) => (Buffer.isBuffer(one) ? one : member(one))), END])

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
      await unpackTar(join(dir, 'archive'), target, limit)
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
    const unpacking = unpackTar(join(dir, 'archive'), target, bytes.length, stop.signal)
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
