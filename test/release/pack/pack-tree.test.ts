import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { extract, list } from 'tar'

import { packTree } from '../../../release/pack/pack-tree.ts'
import { failsWith, snapshot, temporaryFolder, writeTree } from '../project-fixture.ts'

const LONG = `${'deep-folder-name/'.repeat(20)}file`
const FILES = {
  'bin/agent': '#!/bin/sh\necho hi\n',
  'lib/b.js': 'b'.repeat(1000),
  'lib/a.js': '',
  'lib.txt': 'x',
  [LONG]: 'long',
}

async function pack(t: TestContext, root: string): Promise<string> {
  const target = join(await temporaryFolder(t), 'tree.tar')
  await packTree(root, target, new AbortController().signal)
  return target
}

test('the same tree gives the same bytes, whatever its times, modes and order of making', async (t) => {
  const [one, two] = [await temporaryFolder(t), await temporaryFolder(t)]
  await writeTree(one, FILES)
  await writeTree(two, Object.fromEntries(Object.entries(FILES).toReversed()))
  await utimes(join(two, 'lib/b.js'), 1, 1)
  await chmod(join(two, 'lib/b.js'), 0o600)
  await chmod(join(two, 'bin/agent'), 0o700)
  await chmod(join(two, 'lib'), 0o700)
  assert.deepEqual(await readFile(await pack(t, one)), await readFile(await pack(t, two)))
})

test('the archive unpacks to the tree, with its own and with the system tool', async (t) => {
  const [root, own, other] = [await temporaryFolder(t), await temporaryFolder(t), await temporaryFolder(t)]
  await writeTree(root, FILES)
  await mkdir(join(root, 'empty'))
  const file = await pack(t, root)
  await extract({ file, cwd: own, strict: true })
  execFileSync('tar', ['-xf', file, '-C', other])
  for (const dir of [own, other]) {
    assert.deepEqual(await snapshot(dir), await snapshot(root))
    assert.equal((await stat(join(dir, 'bin/agent'))).mode & 0o777, 0o755)
    assert.equal((await stat(join(dir, 'lib/b.js'))).mode & 0o777, 0o644)
    assert.ok((await stat(join(dir, 'empty'))).isDirectory())
  }
})

test('entries are sorted, and a folder comes before what is in it', async (t) => {
  const root = await temporaryFolder(t)
  await writeTree(root, { 'b/c': '1', 'b.txt': '2', a: '3' })
  const seen: string[] = []
  await list({ file: await pack(t, root), onReadEntry: ({ path }) => seen.push(path) })
  assert.deepEqual(seen, ['a', 'b/', 'b.txt', 'b/c'])
})

const REFUSED: readonly (readonly [string, (root: string) => Promise<unknown>, RegExp])[] = [
  ['a symbolic link', (root) => symlink('/etc/passwd', join(root, 'lib/link')), /symbolic link\): lib\/link$/],
  ['a pipe', async (root) => execFileSync('mkfifo', [join(root, 'pipe')]), /neither a file nor a directory\): pipe$/],
  ['a name with a space', (root) => writeFile(join(root, 'a b'), ''), /other characters.*: a b$/],
  ['names that differ in case only', (root) => writeFile(join(root, 'LIB.txt'), ''), /in case only/],
  ['a name that ends in a dot', (root) => writeFile(join(root, 'lib/b.'), ''), /Windows cannot store\): lib\/b\.$/],
  ['the name of a device', (root) => writeFile(join(root, 'lib/aux.js'), ''), /Windows cannot store\): lib\/aux\.js$/],
  ['the name that the updater uses', (root) => writeFile(join(root, '.receipt'), ''), /updater uses\): \.receipt$/],
]
for (const [name, spoil, message] of REFUSED) {
  test(`refused: ${name}`, async (t) => {
    const root = await temporaryFolder(t)
    await writeTree(root, FILES)
    await spoil(root)
    await assert.rejects(pack(t, root), failsWith('ERR_BUILD_FAILED', message))
  })
}
