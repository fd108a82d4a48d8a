// What every publisher must do, whatever it publishes to. An adapter's test calls this with a way to make an empty one.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import type { Publisher, PublishFile } from '../../../release/publishers/publisher.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const hashOf = (text: string): string => sha256(bytesOf(text))

async function fileOf(t: TestContext, text: string): Promise<PublishFile> {
  const file = join(await temporaryFolder(t), 'artifact')
  await writeFile(file, text)
  return { size: text.length, sha256: hashOf(text), source: { file } }
}

export function testPublisherContract(open: (t: TestContext) => Promise<Publisher>): void {
  const read = async (publisher: Publisher, path: string): Promise<string | undefined> => {
    const bytes = await publisher.read(path, 1000)
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
  }

  test('what is not there reads as undefined', async (t) => {
    const publisher = await open(t)
    assert.equal(await publisher.read('version.json', 1000), undefined)
    assert.equal(await publisher.digest('bin/1.0.0/a'), undefined)
  })

  test('the channels are those that have a manifest', async (t) => {
    const publisher = await open(t)
    assert.deepEqual(await publisher.channels(), [])
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    assert.deepEqual(await publisher.channels(), [])
    for (const path of ['version.json', 'beta/version.json', 'alpha/version.json'])
      await publisher.replaceManifest(path, bytesOf('one'), undefined)
    assert.deepEqual(await publisher.channels(), ['alpha', 'beta', 'stable'])
  })

  test('an artifact is put in place with its digest, again and again', async (t) => {
    const publisher = await open(t)
    const file = await fileOf(t, 'artifact')
    for (let run = 0; run < 2; run++) await publisher.putArtifact('bin/1.0.0/a', file)
    assert.deepEqual(await publisher.digest('bin/1.0.0/a'), { size: 8, sha256: hashOf('artifact') })
  })

  test('what a killed publish left under the name of an artifact is replaced', async (t) => {
    const publisher = await open(t)
    await publisher.putArtifact('bin/1.0.0/a', await fileOf(t, 'half'))
    await publisher.putArtifact('bin/1.0.0/a', await fileOf(t, 'whole'))
    assert.equal(await read(publisher, 'bin/1.0.0/a'), 'whole')
  })

  test('the note of the manifest before is replaced, and is no channel', async (t) => {
    const publisher = await open(t)
    for (const text of ['one', 'next']) {
      const source = { bytes: bytesOf(text) }
      await publisher.putArtifact('beta/.attempted.json', { size: text.length, sha256: hashOf(text), source })
      assert.equal(await read(publisher, 'beta/.attempted.json'), text)
    }
    assert.deepEqual(await publisher.channels(), [])
  })

  test('an artifact that changed since it was hashed is not put in place', async (t) => {
    const publisher = await open(t)
    const file = { ...(await fileOf(t, 'tampered')), sha256: hashOf('original') }
    await assert.rejects(publisher.putArtifact('bin/1.0.0/a', file), failsWith('ERR_PUBLISH_FAILED', /changed since/))
    assert.equal(await publisher.digest('bin/1.0.0/a'), undefined)
  })

  test('a document is never overwritten with other bytes', async (t) => {
    const publisher = await open(t)
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    await assert.rejects(publisher.putDocument('releases/1.0.0.json', bytesOf('two')), failsWith('ERR_PUBLISH_EXISTS'))
    assert.equal(await read(publisher, 'releases/1.0.0.json'), 'one')
  })

  test('a manifest is replaced only when the one there is the expected one', async (t) => {
    const publisher = await open(t)
    const replace = (text: string | undefined, expected: string | undefined) =>
      publisher.replaceManifest(
        'beta/version.json',
        text === undefined ? undefined : bytesOf(text),
        expected === undefined ? undefined : hashOf(expected),
      )
    await assert.rejects(replace('one', 'zero'), failsWith('ERR_PUBLISH_CONFLICT'))
    await replace('one', undefined)
    await assert.rejects(replace('two', undefined), failsWith('ERR_PUBLISH_CONFLICT'))
    await assert.rejects(replace('two', 'zero'), failsWith('ERR_PUBLISH_CONFLICT'))
    assert.equal(await read(publisher, 'beta/version.json'), 'one')
    await replace('two', 'one')
    assert.equal(await read(publisher, 'beta/version.json'), 'two')
    await assert.rejects(replace(undefined, 'one'), failsWith('ERR_PUBLISH_CONFLICT'))
    await replace(undefined, 'two')
    assert.equal(await read(publisher, 'beta/version.json'), undefined)
  })

  test('of many that replace the same manifest at once, one wins', async (t) => {
    const publisher = await open(t)
    const names = Array.from({ length: 8 }, (_, index) => `new ${index}`)
    const attempts = names.map((name) => publisher.replaceManifest('version.json', bytesOf(name), undefined))
    const outcomes = await Promise.allSettled(attempts)
    const winners = names.filter((_, index) => outcomes[index]?.status === 'fulfilled')
    assert.equal(winners.length, 1)
    assert.equal(await read(publisher, 'version.json'), winners[0])
  })

  test('a document beyond its limit is not read', async (t) => {
    const publisher = await open(t)
    await publisher.putDocument('releases/1.0.0.json', new Uint8Array(1001))
    await assert.rejects(publisher.read('releases/1.0.0.json', 1000), failsWith('ERR_PUBLISH_FAILED'))
  })
}
