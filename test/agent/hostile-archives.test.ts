// Hostile and interrupted archives on their whole way, from the poll to the home. What each bad entry does to the
// unpacking alone is in unpack-tar.test.ts.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { disk } from '../../agent/home/disk.ts'
import { settle } from '../../agent/trial/settle.ts'
import { unpackTar } from '../../agent/stage/unpack-tar.ts'
import { sha256 } from '../../manifests/index.ts'
import {
  assertTidy,
  failureOf,
  makeDir,
  makeMachine,
  type Offer,
  program,
  publish,
  startHost,
  waitFor,
  whatRuns,
} from './field.ts'
import { startPoll, stuckAt } from './poll-process.ts'
import { archive, type Member, pax } from './tar-bytes.ts'

const AGENT: Member = { name: 'agent', body: program('1.0.1'), mode: 0o755 }
const many = (count: number): Member[] =>
  Array.from({ length: count }, (_, index) => ({ name: `data/${index}`, body: `content of ${index}` }))
const offerOf = (artifact: Buffer, sequence: number): Offer => {
  return { version: '1.0.1', artifact, sequence, binary: { unpack: 'tar', entry: 'agent' } }
}

describe('an archive', { timeout: 240_000, concurrency: 3 }, () => {
  const endings: Record<string, (Member | Buffer)[]> = {
    'climbs out': [{ name: '../../versions/1.0.0/evil', body: 'x' }],
    'is a link': [{ name: 'data/link', type: '2', link: '/etc' }],
    'is a device': [{ name: 'data/null', type: '3' }],
    'is a name of Windows': [{ name: 'data/nul', body: 'x' }],
    'comes twice': [{ name: 'data/7', body: 'another' }],
    'is another under an old name': [pax({ path: 'agent' }), { name: 'fine', body: 'x' }],
  }
  for (const [name, ending] of Object.entries(endings)) {
    test(`case 61: of which one entry of a hundred ${name} installs nothing at all`, async (t) => {
      const host = await startHost(t)
      const { home, poll } = await makeMachine(t, host)
      const before = whatRuns(home)
      const installed = fs.readdirSync(join(home.versions, '1.0.0'))
      publish(host, offerOf(archive(AGENT, ...many(100), ...ending), 10))
      assert.equal((await failureOf(() => poll())).code, 'ERR_STAGE_ARCHIVE')
      assert.deepEqual(whatRuns(home), before)
      assert.deepEqual(fs.readdirSync(join(home.versions, '1.0.0')), installed)
      assertTidy(home)
      assert.deepEqual(fs.readdirSync(home.staging), [])
      publish(host, offerOf(archive(AGENT, ...many(100)), 11))
      assert.equal((await poll()).kind, 'swapped')
      assert.equal(whatRuns(home).answers, '1.0.1')
    })
  }

  test('case 62: finds no link that another left in its way', async (t) => {
    const host = await startHost(t)
    const { home, poll } = await makeMachine(t, host)
    const victim = makeDir(t)
    fs.writeFileSync(join(victim, 'agent'), 'precious')
    fs.symlinkSync(victim, join(home.staging, '1.0.1.staged'))
    publish(host, offerOf(archive(AGENT), 10))
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(fs.readFileSync(join(victim, 'agent'), 'utf8'), 'precious')
    assert.deepEqual(fs.readdirSync(victim), ['agent'])
    assert.ok(fs.lstatSync(join(home.versions, '1.0.1')).isDirectory())
  })

  test('case 58: that was exchanged between its check and its unpacking is found out by what is read', async (t) => {
    const dir = makeDir(t)
    const [signed, other] = [archive(AGENT), archive({ ...AGENT, body: program('1.0.1', 'evil') })]
    for (const [bytes, expected] of [
      [signed, undefined],
      [other, 'ERR_BYTES_HASH'],
      [Buffer.concat([signed, Buffer.alloc(512)]), 'ERR_BYTES_HASH'],
    ] as const) {
      const [path, target] = [join(dir, 'archive'), join(dir, `to-${sha256(bytes)}`)]
      fs.writeFileSync(path, bytes)
      fs.mkdirSync(target)
      const unpack = () => unpackTar(disk, path, target, { size: signed.length, sha256: sha256(signed) })
      if (expected === undefined) await unpack()
      else assert.equal((await failureOf(unpack)).code, expected)
    }
  })

  test('case 64: whose unpacking is killed half-way leaves nothing behind after the next start', async (t) => {
    const host = await startHost(t)
    const { home, poll, settings, deps } = await makeMachine(t, host)
    const before = whatRuns(home)
    publish(host, offerOf(archive(AGENT, ...many(100)), 10))
    const staged = join(home.staging, '1.0.1.staged')
    const { child } = startPoll(t, { home: home.path, server: host.url, inside: stuckAt('/data/50') })
    const exited = once(child, 'exit')
    await waitFor(() => fs.existsSync(join(staged, 'data/49')), 'half of it is unpacked')
    child.kill('SIGKILL')
    assert.deepEqual(await exited, [null, 'SIGKILL'])
    assert.equal(fs.readdirSync(join(staged, 'data')).length, 50)
    assert.deepEqual(whatRuns(home), before)
    await settle(settings, deps)
    assert.equal(fs.existsSync(staged), false)
    assertTidyButLocked(home.staging)
    assert.deepEqual(whatRuns(home), before)
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(whatRuns(home).answers, '1.0.1')
    assert.deepEqual(fs.readdirSync(home.staging), [])
  })
})

/** A download that is whole may stay, for the next attempt. */
function assertTidyButLocked(staging: string): void {
  for (const name of fs.readdirSync(staging)) assert.match(name, /^[0-9a-f]{64}\.partial$/)
}
