// The adapter of S3 on a real gateway, which checks signatures and keeps conditions.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import type { S3Config } from '../../../release/publishers/publish-config.ts'
import { failsWith } from '../project-fixture.ts'
import { type Gateway, gatewayMissing, startGateway } from './ceph-gateway.ts'
import { testPublisherContract } from './publisher-contract.ts'
import { freshPrefix, makeBucket, openPlace, useTestCredentials } from './s3-place.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const BUCKET = 'updates'

describe('a bucket of a real gateway', { skip: gatewayMissing() }, () => {
  let gateway: Gateway
  let place: Pick<S3Config, 'bucket' | 'endpoint'>
  before(async () => {
    useTestCredentials()
    gateway = await startGateway()
    await makeBucket(gateway.endpoint, BUCKET)
    place = { bucket: BUCKET, endpoint: gateway.endpoint }
  })
  after(() => gateway.close())

  testPublisherContract(() => openPlace(place))

  test('of twenty that write at once under one condition, one wins, without any lock', async () => {
    const publisher = await openPlace(place)
    const texts = Array.from({ length: 20 }, (_, index) => `text ${index}`)
    const first = sha256(bytesOf('first'))
    await publisher.replaceManifest('beta/version.json', bytesOf('first'), undefined)
    for (const write of [
      (text: string) => publisher.putDocument('releases/1.json', bytesOf(text)),
      (text: string) => publisher.replaceManifest('version.json', bytesOf(text), undefined),
      (text: string) => publisher.replaceManifest('beta/version.json', bytesOf(text), first),
    ]) {
      const outcomes = await Promise.allSettled(texts.map(write))
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    }
  })

  test('case 102: objects have the headers that caches need, and the tags of the configuration', async () => {
    const prefix = freshPrefix()
    const publisher = await openPlace({ ...place, prefix, tags: { team: 'agents & co', stage: 'live' } })
    const artifact = { size: 1, sha256: sha256(bytesOf('x')), source: { bytes: bytesOf('x') } }
    const [immutable, revalidate] = ['max-age=31536000, immutable', 'no-cache']
    await publisher.putArtifact('bin/1.0.0/page.html', artifact)
    await publisher.putArtifact('.attempted.json', artifact)
    await publisher.putDocument('releases/1.0.0.json', bytesOf('{}'))
    await publisher.replaceManifest('beta/version.json', bytesOf('{}'), undefined)
    for (const [path, cacheControl, contentType] of [
      ['bin/1.0.0/page.html', immutable, 'application/octet-stream'],
      ['.attempted.json', revalidate, 'application/json'],
      ['releases/1.0.0.json', immutable, 'application/json'],
      ['beta/version.json', revalidate, 'application/json'],
    ] as const) {
      const { headers } = await fetch((await publisher.link?.(path, 60_000)) ?? '')
      assert.deepEqual([headers.get('cache-control'), headers.get('content-type')], [cacheControl, contentType], path)
      assert.equal(headers.get('content-encoding'), null)
    }
    const { GetObjectTaggingCommand, S3Client } = await import('@aws-sdk/client-s3')
    const client = new S3Client({ endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true })
    const command = new GetObjectTaggingCommand({ Bucket: BUCKET, Key: `${prefix}/beta/version.json` })
    const tags = (await client.send(command)).TagSet?.map(({ Key, Value }) => `${Key}=${Value}`)
    assert.deepEqual(tags?.toSorted(), ['stage=live', 'team=agents & co'])
    client.destroy()
  })

  test('a link works without credentials until it expires, and for its own file only', async () => {
    const publisher = await openPlace(place)
    const artifact = { size: 1, sha256: sha256(bytesOf('x')), source: { bytes: bytesOf('x') } }
    await publisher.putArtifact('bin/1.0.0+5/agent', artifact)
    await publisher.putArtifact('bin/1.0.0+5/other', artifact)
    const url = (await publisher.link?.('bin/1.0.0+5/agent', 60_000)) ?? ''
    assert.equal(await (await fetch(url)).text(), 'x')
    for (const bad of [
      url.replace('/agent?', '/other?'),
      url.replace(/\?.*/, ''),
      url.replace('Expires=60', 'Expires=61'),
    ])
      assert.equal((await fetch(bad)).status, 403, bad)
    const short = (await publisher.link?.('bin/1.0.0+5/agent', 1000)) ?? ''
    for (let isOver = false; !isOver;) isOver = (await fetch(short)).status === 403
    for (const expiresMs of [0, 8 * 24 * 3600 * 1000])
      await assert.rejects(publisher.link?.('bin/x', expiresMs) ?? Promise.resolve(), failsWith('ERR_USAGE_INVALID'))
  })

  test('parts of an upload that was killed are removed by the next release', async () => {
    const prefix = freshPrefix()
    const { CreateMultipartUploadCommand, ListMultipartUploadsCommand, S3Client, UploadPartCommand } =
      await import('@aws-sdk/client-s3')
    const client = new S3Client({ endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true })
    const left = async (): Promise<string[]> => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
      return Uploads.map(({ Key = '' }) => Key)
    }
    for (const Key of [`${prefix}/bin/1.0.0/a`, `${prefix}/bin/1.0.0/b`, `${prefix}-other/bin/1.0.0/a`]) {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }))
      await client.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: 'part' }))
    }
    const unlock = await (await openPlace({ ...place, prefix })).lock()
    await unlock()
    assert.deepEqual(await left(), [`${prefix}-other/bin/1.0.0/a`])
    client.destroy()
  })

  const FAULTS: readonly (readonly [string, Partial<S3Config>, NodeJS.ProcessEnv, RegExp])[] = [
    ['a bucket that does not exist', { bucket: 'nobody-made-it' }, {}, /^no such bucket \(NoSuchBucket/],
    [
      'an unknown access key',
      {},
      { AWS_ACCESS_KEY_ID: 'stranger' },
      /^the credentials are refused \(InvalidAccessKeyId/,
    ],
    ['a wrong secret key', {}, { AWS_SECRET_ACCESS_KEY: 'x' }, /^the credentials are refused \(SignatureDoesNotMatch/],
  ]
  for (const [name, config, env, message] of FAULTS) {
    test(`case 102: ${name} is refused, and the message says so`, async () => {
      const saved = { ...process.env }
      Object.assign(process.env, env)
      try {
        const publisher = await openPlace({ ...place, ...config })
        await assert.rejects(publisher.lock(), failsWith('ERR_PUBLISH_REFUSED', message))
        await assert.rejects(publisher.read('version.json', 10), failsWith('ERR_PUBLISH_REFUSED', message))
      } finally {
        Object.assign(process.env, saved)
      }
    })
  }
})
