// Deltas between trees: what lies on the disk is no archive any more, and is packed again.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import type { AgentEvent } from '../../../agent/events/events.ts'
import { readReceipt } from '../../../agent/home/receipt.ts'
import { packTree } from '../../../release/pack/pack-tree.ts'
import { createPatch } from '../../../delta/index.ts'
import { isMoultError } from '../../../manifests/index.ts'
import {
  assertTidy,
  BOUNDED,
  type Host,
  makeDir,
  makeMachine,
  type Machine,
  mountTmpfs,
  program,
  publish,
  startHost,
  whatRuns,
} from '../field.ts'
import { archive } from '../tar-bytes.ts'
import { bodyOf, deltaUrl, publishDeltas } from './delta-offer.ts'

const TREE = { unpack: 'tar', entry: 'bin/agent' }
const LONG = `${'deep-folder-name/'.repeat(14)}file`

interface Node {
  readonly path: string
  readonly content?: Buffer
  readonly mode?: number
}

function nodesOf(version: string): Node[] {
  return [
    { path: 'bin/agent', content: program(version, bodyOf(version)), mode: 0o755 },
    { path: 'bin/tool', content: Buffer.from('#!/bin/sh\n'), mode: 0o700 },
    { path: 'share/data', content: Buffer.from(bodyOf('0.0.0')), mode: 0o600 },
    { path: 'share/none', content: Buffer.alloc(0) },
    { path: 'share/empty' },
    { path: LONG, content: Buffer.from(version) },
  ]
}

/** As a release packs it. */
async function packed(t: TestContext, nodes: readonly Node[]): Promise<Buffer> {
  const root = makeDir(t)
  for (const { path, content, mode = 0o644 } of nodes) {
    const place = join(root, path)
    fs.mkdirSync(content === undefined ? place : dirname(place), { recursive: true })
    if (content !== undefined) fs.writeFileSync(place, content, { mode })
  }
  const target = join(makeDir(t), 'tree.tar')
  await packTree(root, target, new AbortController().signal, 'bin/agent')
  return fs.readFileSync(target)
}

/** A machine on which 1.0.0 is this tree, and a host that offers 1.0.1 as a delta to it. */
async function makeTrees(t: TestContext, old: Buffer, fresh: Buffer, path?: string): Promise<Machine & { host: Host }> {
  const host = await startHost(t)
  publish(host, { version: '1.0.0', artifact: old, sequence: 10, binary: TREE })
  const machine = await makeMachine(t, host, {}, path)
  fs.rmSync(machine.home.versions, { recursive: true })
  fs.mkdirSync(machine.home.versions, { mode: 0o755 })
  fs.rmSync(machine.home.current)
  fs.rmSync(machine.home.confirmed)
  await machine.poll()
  publishDeltas(host, { version: '1.0.1', sequence: 11, artifact: fresh, deltas: [{ from: old }], binary: TREE })
  machine.events.length = 0
  host.drain()
  return { ...machine, host }
}

const DELTA = deltaUrl('1.0.1', '1.0.0')

function ways(events: readonly AgentEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind === 'downloaded') return [event.source]
    if (event.kind !== 'download-failed') return []
    return [`${event.source} ${isMoultError(event.error) ? event.error.code : String(event.error)}`]
  })
}

function assertTree({ home }: Machine): void {
  for (const { path, content } of nodesOf('1.0.1')) {
    const place = join(home.versions, '1.0.1', path)
    if (content === undefined) assert.ok(fs.statSync(place).isDirectory())
    else assert.deepEqual(fs.readFileSync(place), content)
  }
  assert.equal(whatRuns(home).answers, '1.0.1')
  assertTidy(home)
  assert.deepEqual(fs.readdirSync(home.staging), [])
}

describe('a delta between trees', { timeout: 3 * BOUNDED.timeout, concurrency: true }, () => {
  test('starts from the tree, packed again to the very bytes of its archive', async (t) => {
    const [old, fresh] = [await packed(t, nodesOf('1.0.0')), await packed(t, nodesOf('1.0.1'))]
    const trees = await makeTrees(t, old, fresh)
    await trees.poll()
    assert.deepEqual(trees.host.requests, ['version.json', DELTA])
    assert.deepEqual(ways(trees.events), ['delta'])
    assertTree(trees)
    assert.ok(createPatch(old, fresh).length < fresh.length / 20)
  })

  test('starts from a tree whose program was not executable where it was packed, as it is here', async (t) => {
    const lost = (version: string): Node[] => nodesOf(version).map((node) => ({ ...node, mode: 0o644 }))
    const trees = await makeTrees(t, await packed(t, lost('1.0.0')), await packed(t, lost('1.0.1')))
    await trees.poll()
    assert.deepEqual(ways(trees.events), ['delta'])
    assertTree(trees)
  })

  const changes: Record<string, (directory: string) => void> = {
    'with a changed file': (directory) => fs.appendFileSync(join(directory, 'share/data'), '!'),
    'with a file more': (directory) => fs.writeFileSync(join(directory, 'share/more'), ''),
    'with a file less': (directory) => fs.rmSync(join(directory, 'share/none')),
    'with another mode': (directory) => fs.chmodSync(join(directory, 'share/data'), 0o755),
    'with a link in it': (directory) => fs.symlinkSync('/etc/passwd', join(directory, 'share/link')),
    'with a name that no archive has': (directory) => fs.writeFileSync(join(directory, 'a name'), ''),
  }
  for (const [name, change] of Object.entries(changes)) {
    test(`of a tree ${name} is given up for the compressed artifact`, async (t) => {
      const trees = await makeTrees(t, await packed(t, nodesOf('1.0.0')), await packed(t, nodesOf('1.0.1')))
      change(join(trees.home.versions, '1.0.0'))
      await trees.poll()
      assert.equal(ways(trees.events).length, 2)
      assert.match(ways(trees.events)[0] ?? '', /^delta ERR_(?:BYTES_HASH|BYTES_SIZE|BUILD_FAILED)$/)
      assert.equal(ways(trees.events)[1], 'br')
      assert.ok(!trees.host.requests.includes(DELTA), 'nothing is fetched that cannot be used')
      assertTree(trees)
    })
  }

  test('of an archive in another order than a release gives it is given up, too', async (t) => {
    const order = nodesOf('1.0.0').filter(({ path, content }) => path !== LONG && content !== undefined)
    const own = archive(
      ...order.toReversed().map(({ path, content = '' }) => ({ name: path, body: content, mode: 0o755 })),
    )
    const trees = await makeTrees(t, own, await packed(t, nodesOf('1.0.1')))
    assert.equal(readReceipt(trees.home, '1.0.0')?.size, own.length)
    await trees.poll()
    assert.match(ways(trees.events).join(), /^delta ERR_BYTES_(?:HASH|SIZE),br$/)
    assertTree(trees)
  })

  test('is passed over while the disk has no room for the old archive beside the new one', async (t) => {
    const MEBIBYTE = 1024 * 1024
    const mounted = mountTmpfs(t, '64m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const large = { path: 'large', content: Buffer.alloc(4 * MEBIBYTE, '#') }
    const [old, fresh] = [await packed(t, [...nodesOf('1.0.0'), large]), await packed(t, nodesOf('1.0.1'))]
    const trees = await makeTrees(t, old, fresh, join(mounted, 'home'))
    const { bavail, bsize } = fs.statfsSync(mounted)
    // The reserve of 16 MiB stays, and room for the new archive with its tree.
    fs.writeFileSync(join(mounted, 'filler'), Buffer.alloc(bavail * bsize - (16 + 3) * MEBIBYTE))
    assert.ok(fresh.length < MEBIBYTE)
    await trees.poll()
    assert.deepEqual(ways(trees.events), ['delta ERR_STAGE_SPACE', 'br'])
    assert.ok(!trees.host.requests.includes(DELTA))
    const state = JSON.parse(fs.readFileSync(trees.home.state, 'utf8')) as Record<string, unknown>
    assert.equal(state['failedDeltas'], undefined, 'room may be there the next time')
    assertTree(trees)
  })
})
