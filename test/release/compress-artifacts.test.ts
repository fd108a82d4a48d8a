import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { brotliDecompressSync } from 'node:zlib'

import { sha256 } from '../../manifests/index.ts'
import { compressFile, timeLimitOf } from '../../release/compress-artifacts.ts'
import type { StagedFile } from '../../release/stage-artifacts.ts'
import { agentText } from './deltas/delta-project.ts'
import { temporaryFolder } from './project-fixture.ts'

const signal = new AbortController().signal
const LONG_MS = 600_000

async function staged(t: TestContext, bytes: Uint8Array): Promise<StagedFile> {
  const path = join(await temporaryFolder(t), 'artifact')
  await writeFile(path, bytes)
  return { path, size: bytes.length, sha256: sha256(bytes) }
}

test('what is compressed unpacks to the same bytes, and its own digest is right', async (t) => {
  const bytes = Buffer.from('all work and no play '.repeat(20_000))
  const packed = await compressFile(await staged(t, bytes), LONG_MS, signal)
  assert.ok(packed !== undefined)
  const file = await readFile(packed.path)
  assert.deepEqual([packed.size, packed.sha256], [file.length, sha256(file)])
  assert.ok(brotliDecompressSync(file).equals(bytes))
})

test('bytes that hardly shrink are not published twice', async (t) => {
  const file = await staged(t, randomBytes(100_000))
  assert.equal(await compressFile(file, LONG_MS, signal), undefined)
  assert.deepEqual(await readdir(dirname(file.path)), ['artifact'])
})

test('the same bytes are compressed to the same bytes', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * index) % 251))
  const [one, two] = [
    await compressFile(await staged(t, bytes), LONG_MS, signal),
    await compressFile(await staged(t, bytes), LONG_MS, signal),
  ]
  assert.equal(one?.sha256, two?.sha256)
})

test('what would take longer than its time is compressed less hard', async (t) => {
  const bytes = Buffer.from(agentText('one'))
  const best = await compressFile(await staged(t, bytes), LONG_MS, signal)
  const late = await compressFile(await staged(t, bytes), 1, signal)
  const fast = await compressFile(await staged(t, bytes), 0, signal)
  assert.ok(best !== undefined && late !== undefined && fast !== undefined)
  assert.equal(late.sha256, fast.sha256)
  assert.ok(best.size < fast.size, `${best.size} and ${fast.size} bytes`)
  for (const { path } of [best, late, fast]) assert.ok(brotliDecompressSync(await readFile(path)).equals(bytes))
})

test('an interrupted compression is an interruption, and not a slow one', async (t) => {
  const file = await staged(t, Buffer.from(agentText('one')))
  await assert.rejects(compressFile(file, LONG_MS, AbortSignal.abort()), { name: 'AbortError' })
})

test('more artifacts than are compressed at once share the time', () => {
  const [one, many] = [timeLimitOf(1), timeLimitOf(60)]
  assert.ok(one >= 60_000 && many <= one / 15, `${one} and ${many} ms`)
})
