// The archive of a tree is packed twice: by a release, and years later by an agent for a delta. Its bytes are a format.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { isMoultError } from '../../manifests/index.ts'
import { packTree, type PackOptions } from '../../trees/pack-tree.ts'

async function makeTree(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'moult-trees-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content, { mode: path.startsWith('bin/') ? 0o755 : 0o644 })
  }
  return root
}

async function packed(root: string, options?: PackOptions): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of packTree(root, options)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

const FILES = {
  'bin/agent': '#!/bin/sh\n',
  'lib.txt': 'x',
  'lib/a.js': '',
  'lib/b.js': 'b'.repeat(513),
  // Divided between prefix and name; and too long for that.
  [`${'deep-folder-name/'.repeat(8)}file`]: 'long',
  [`d/${'z'.repeat(130)}`]: 'longer',
}

test('a tree has had the same archive, to the byte, since the first release that packed one', async (t) => {
  const bytes = await packed(await makeTree(t, FILES))
  // Another hash here, after an update of a package say, means: agents of before and releases of now pack differently.
  assert.equal(
    createHash('sha256').update(bytes).digest('hex'),
    '943b08b8cb5178a2bd94f50bc642c6f36d92c40de8fc2cd8114a0a7cfa11cc0a',
  )
})

test('what the updater writes into a version is no part of its archive, and of no other tree either', async (t) => {
  const root = await makeTree(t, FILES)
  const before = await packed(root)
  for (const name of ['.receipt', '.sha256sums']) await writeFile(join(root, name), 'x')
  assert.deepEqual(await packed(root, { isInstalled: true }), before)
  await assert.rejects(packed(root), (error) => isMoultError(error) && error.code === 'ERR_BUILD_FAILED')
  await writeFile(join(root, 'lib/.receipt'), 'x')
  // Only at the top are these names the updater's.
  assert.notDeepEqual(await packed(root, { isInstalled: true }), before)
})

test('an archive of many pieces is the same as of one', async (t) => {
  const content = Array.from({ length: 300_000 }, (_, index) => `line ${index}`).join('\n')
  const bytes = await packed(await makeTree(t, { ...FILES, large: content }))
  const at = bytes.indexOf('line 0\nline 1\n')
  assert.ok(content.length > 3 * 1024 * 1024)
  assert.equal(bytes.toString('latin1', at, at + content.length), content)
  assert.equal(bytes.length % 512, 0)
})
