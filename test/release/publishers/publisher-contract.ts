// What every publisher must do, whatever it publishes to. An adapter's test calls this with a way to make an empty one.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import type { Publisher, PublishFile } from '../../../release/publishers/publisher.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'
import { testWriteOrder } from './write-order-contract.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const hashOf = (text: string): string => sha256(bytesOf(text))

async function fileOf(t: TestContext, text: string): Promise<PublishFile> {
  const file = join(await temporaryFolder(t), 'artifact')
  await writeFile(file, text)
  return { size: text.length, sha256: hashOf(text), source: { file } }
}

/** More than two parts of any adapter, and no two of them alike. */
const LARGE_TEXT = Array.from(
  { length: 400_000 },
  (_, line) => `line ${line} of a large artifact, unlike the others\n`,
).join('')

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

  test('manifests of before and a feed are kept as they are, are listed, and are no channels', async (t) => {
    const publisher = await open(t)
    const past = `history/${hashOf('one')}.json`
    const feed = publisher.feedUrl === undefined ? ['feed.atom', 'beta/feed.atom'] : []
    // Damaged first: its name says what has to be there.
    for (const text of ['damaged', 'one'])
      for (const path of [past, ...feed]) {
        await publisher.putArtifact(path, { size: text.length, sha256: hashOf(text), source: { bytes: bytesOf(text) } })
        assert.equal(await read(publisher, path), text)
      }
    await publisher.putArtifact(`history/${hashOf('two')}.json`, await fileOf(t, 'two'))
    const listed = (await publisher.list('history/')).map(({ path, size }) => [path, size])
    assert.deepEqual(
      listed,
      ['one', 'two']
        .map((text) => [`history/${hashOf(text)}.json`, 3])
        .toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)),
    )
    assert.deepEqual(await publisher.channels(), [])
    await (
      await publisher.lock()
    )()
    assert.equal(await read(publisher, past), 'one')
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

  test('a file is read as it flows', async (t) => {
    const publisher = await open(t)
    assert.equal(await publisher.open('releases/1.0.0.json'), undefined)
    await publisher.putDocument('releases/1.0.0.json', bytesOf('flows'))
    const chunks: Uint8Array[] = []
    for await (const chunk of (await publisher.open('releases/1.0.0.json')) ?? []) chunks.push(chunk)
    assert.equal(Buffer.concat(chunks).toString(), 'flows')
  })

  test('a large artifact arrives whole, and its progress only grows, up to its size', async (t) => {
    const publisher = await open(t)
    const file = await fileOf(t, LARGE_TEXT)
    const seen: number[] = []
    await publisher.putArtifact('bin/1.0.0/large', file, (doneBytes) => seen.push(doneBytes))
    assert.deepEqual(await publisher.digest('bin/1.0.0/large'), { size: file.size, sha256: file.sha256 })
    assert.ok(seen.length > 2, `told ${seen.length} times`)
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    )
    assert.equal(seen.at(-1), file.size)
  })

  test('a large artifact that changed since it was hashed is not put in place, and leaves nothing', async (t) => {
    const publisher = await open(t)
    const file = { ...(await fileOf(t, LARGE_TEXT)), sha256: hashOf('original') }
    await assert.rejects(publisher.putArtifact('bin/1.0.0/a', file), failsWith('ERR_PUBLISH_FAILED', /changed since/))
    assert.equal(await publisher.digest('bin/1.0.0/a'), undefined)
    assert.deepEqual(await publisher.list(''), [])
  })

  test('what is published is listed with its size, sorted, without locks; and can be removed', async (t) => {
    const publisher = await open(t)
    assert.deepEqual(await publisher.list(''), [])
    const unlock = await publisher.lock()
    for (const path of ['bin/1.0.0/b', 'bin/1.0.0/a', 'bin/1.0.0+1/a'])
      await publisher.putArtifact(path, await fileOf(t, 'text'))
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    const paths = ['bin/1.0.0+1/a', 'bin/1.0.0/a', 'bin/1.0.0/b']
    assert.deepEqual(
      await publisher.list('bin/'),
      paths.map((path) => ({ path, size: 4 })),
    )
    assert.deepEqual(
      (await publisher.list('')).map(({ path }) => path),
      [...paths, 'releases/1.0.0.json'],
    )
    await publisher.remove('bin/1.0.0/a')
    await publisher.remove('bin/1.0.0/a')
    await publisher.remove('bin/9.9.9/never')
    await unlock()
    assert.deepEqual(
      (await publisher.list('bin/1.0.0/')).map(({ path }) => path),
      ['bin/1.0.0/b'],
    )
  })

  test('of two that lock, the second is told who holds it and for what; when it is released, it gets it', async (t) => {
    const publisher = await open(t)
    const unlock = await publisher.lock('1.0.1 on beta')
    await assert.rejects(
      publisher.lock('1.0.2 on beta'),
      failsWith(
        'ERR_PUBLISH_CONFLICT',
        new RegExp(`another release, 1\\.0\\.1 on beta, .* process ${process.pid} on `),
      ),
    )
    await unlock()
    await (
      await publisher.lock()
    )()
    assert.deepEqual(await publisher.list(''), [])
  })

  test('who loses the manifest to another release is told what is live', async (t) => {
    const publisher = await open(t)
    const winner = JSON.stringify({ version: '1.4.2', rollout: { sequence: 42 } })
    await publisher.replaceManifest('version.json', bytesOf(winner), undefined)
    for (const expected of [undefined, hashOf('before')])
      await assert.rejects(
        publisher.replaceManifest('version.json', bytesOf('late'), expected),
        failsWith('ERR_PUBLISH_CONFLICT', /1\.4\.2 is live with sequence 42: version\.json/),
      )
  })

  testWriteOrder(open)
}
