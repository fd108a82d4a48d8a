import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import { openDirectory } from '../../../release/publishers/directory.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'
import { testPublisherContract } from './publisher-contract.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('a directory keeps the contract of publishers', () => {
  testPublisherContract(async (t) => openDirectory(join(await temporaryFolder(t), 'new', 'updates'), Date.now))
})

test('each manifest is at least a second younger than the last, in whole seconds', async (t) => {
  const dir = await temporaryFolder(t)
  const file = join(dir, 'version.json')
  let now = 1_800_000_000_400
  const publisher = openDirectory(dir, () => now)
  const times: number[] = []
  let before: string | undefined
  for (const text of ['aa', 'bb', 'cc']) {
    await publisher.replaceManifest('version.json', bytesOf(text), before)
    before = sha256(bytesOf(text))
    times.push((await stat(file)).mtimeMs / 1000)
  }
  assert.deepEqual(times, [1_800_000_000, 1_800_000_001, 1_800_000_002])

  // A clock that went back, and a file with a fraction of a second.
  now = 1_700_000_000_000
  await utimes(file, 1_800_000_010.5, 1_800_000_010.5)
  await publisher.replaceManifest('version.json', bytesOf('dd'), before)
  assert.equal((await stat(file)).mtimeMs / 1000, 1_800_000_012)
})

test('half-written files of a killed run are removed by the next one', async (t) => {
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, 'releases'))
  await writeFile(join(dir, 'releases', '.1.0.0.json.0123456789ab.tmp'), 'half')
  await writeFile(join(dir, 'releases', '.2.0.0.json.0123456789ab.tmp'), 'of another')
  await openDirectory(dir, Date.now).putDocument('releases/1.0.0.json', bytesOf('whole'))
  assert.deepEqual(await readdir(join(dir, 'releases')), ['.2.0.0.json.0123456789ab.tmp', '1.0.0.json'])
})

test('web servers can read what is published', async (t) => {
  const dir = await temporaryFolder(t)
  await openDirectory(dir, Date.now).putDocument('releases/1.0.0.json', bytesOf('x'))
  assert.equal((await stat(join(dir, 'releases/1.0.0.json'))).mode & 0o444, 0o444)
})

test('a folder where a file should be is an error of publishing, with the path', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'bin'), 'in the way')
  const file = { size: 1, sha256: sha256(bytesOf('x')), source: { bytes: bytesOf('x') } }
  const put = openDirectory(dir, Date.now).putArtifact('bin/1.0.0/a', file)
  await assert.rejects(put, failsWith('ERR_PUBLISH_FAILED', /\((?:ENOTDIR|EEXIST)\): bin\/1\.0\.0\/a /))
})

test('a place that cannot be written is an error of publishing', { skip: process.getuid?.() === 0 }, async (t) => {
  const dir = await temporaryFolder(t)
  await chmod(dir, 0o500)
  await assert.rejects(
    openDirectory(dir, Date.now).putDocument('a.json', bytesOf('x')),
    failsWith('ERR_PUBLISH_FAILED', /EACCES/),
  )
  await chmod(dir, 0o700)
})
