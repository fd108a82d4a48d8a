import assert from 'node:assert/strict'
import { chmod, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { sha256 } from '../../manifests/index.ts'
import { stageArtifacts } from '../../release/stage-artifacts.ts'
import { surroundingsOf } from '../../release/surroundings.ts'
import { failsWith, temporaryFolder, writeTree } from './project-fixture.ts'

test('an artifact is copied and hashed from the same bytes, and the copy can be run', async (t) => {
  const [dir, scratch] = [await temporaryFolder(t), await temporaryFolder(t)]
  await writeTree(dir, { agent: 'not executable here' })
  const built = { kind: 'file', platform: 'linux-amd64', path: join(dir, 'agent') } as const
  const [artifact] = await stageArtifacts([built], scratch, surroundingsOf({}))
  const bytes = await readFile(artifact?.file.path ?? '')
  assert.equal(bytes.toString(), 'not executable here')
  assert.deepEqual([artifact?.file.sha256, artifact?.file.size], [sha256(bytes), bytes.length])
  assert.equal((await stat(artifact?.file.path ?? '')).mode & 0o777, 0o700)
})

test('a file that became a link since the build is refused', async (t) => {
  const [dir, scratch] = [await temporaryFolder(t), await temporaryFolder(t)]
  await symlink('/etc/hostname', join(dir, 'agent'))
  const built = { kind: 'file', platform: 'linux-amd64', path: join(dir, 'agent') } as const
  await assert.rejects(
    stageArtifacts([built], scratch, surroundingsOf({})),
    failsWith('ERR_BUILD_FAILED', /^a symbolic link/),
  )
})

test('a tree becomes one file, with its entry', async (t) => {
  const [dir, scratch] = [await temporaryFolder(t), await temporaryFolder(t)]
  await writeTree(dir, { 'bin/agent': '#!/bin/sh\n' })
  const built = { kind: 'tree', platform: 'linux-amd64', path: dir, entry: 'bin/agent' } as const
  const [artifact] = await stageArtifacts([built], scratch, surroundingsOf({}))
  assert.equal(artifact?.entry, 'bin/agent')
  assert.equal((artifact?.file.size ?? 1) % 512, 0)
})

test('the program of a tree is executable in its archive, as it is where agents unpack it', async (t) => {
  const hashes = await Promise.all(
    [0o644, 0o755].map(async (mode) => {
      const [dir, scratch] = [await temporaryFolder(t), await temporaryFolder(t)]
      await writeTree(dir, { 'bin/agent': '#!/bin/sh\n' })
      await chmod(join(dir, 'bin/agent'), mode)
      const built = { kind: 'tree', platform: 'linux-amd64', path: dir, entry: 'bin/agent' } as const
      const [artifact] = await stageArtifacts([built], scratch, surroundingsOf({}))
      return artifact?.file.sha256
    }),
  )
  assert.equal(hashes[0], hashes[1])
})
