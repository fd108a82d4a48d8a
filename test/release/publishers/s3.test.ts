// The adapter of S3 against a double that can misbehave. test/release/publishers/s3.slow.test.ts runs the contract on a
// real gateway.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'

import { isMoultError, type MoultError, sha256 } from '../../../manifests/index.ts'
import type { S3Config } from '../../../release/publishers/publish-config.ts'
import type { Publisher, PublishFile } from '../../../release/publishers/publisher.ts'
import { until } from '../../helpers/moult.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'
import { testPublisherContract } from './publisher-contract.ts'
import { BUCKET, type DoubleRequest, type S3Double, startDouble } from './s3-double.ts'
import { openPlace, useTestCredentials } from './s3-place.ts'

useTestCredentials()

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const fileOf = (text: string): PublishFile => ({
  size: text.length,
  sha256: sha256(bytesOf(text)),
  source: { bytes: bytesOf(text) },
})

async function open(
  t: TestContext,
  config: Partial<S3Config> = {},
): Promise<{ readonly double: S3Double; readonly publisher: Publisher }> {
  const double = await startDouble(t)
  const place = { bucket: BUCKET, endpoint: double.endpoint, prefix: 'agents', ...config }
  return { double, publisher: await openPlace(place) }
}

async function errorOf(work: Promise<unknown>): Promise<MoultError> {
  const error: unknown = await work.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(isMoultError(error), String(error))
  return error
}

describe('a bucket keeps the contract of publishers', () => {
  testPublisherContract(async (t) => (await open(t)).publisher)
})

describe('case 102: what the service answers becomes an error that says what to do', () => {
  const ANSWERS: readonly (readonly [status: number, code: string, ours: string, message: RegExp, hint: RegExp])[] = [
    [403, 'AccessDenied', 'ERR_PUBLISH_REFUSED', /access is denied/, /s3:PutObject.*s3:ListBucket/],
    [403, 'InvalidAccessKeyId', 'ERR_PUBLISH_REFUSED', /credentials are refused/, /AWS_ACCESS_KEY_ID/],
    [400, 'ExpiredToken', 'ERR_PUBLISH_REFUSED', /credentials have expired/, /Sign in again/],
    [403, 'RequestTimeTooSkewed', 'ERR_PUBLISH_REFUSED', /clock of this machine/, /Set the clock/],
    [404, 'NoSuchBucket', 'ERR_PUBLISH_REFUSED', /no such bucket/, /Create it/],
    [400, 'AuthorizationHeaderMalformed', 'ERR_PUBLISH_REFUSED', /another region/, /publish\.s3\.region/],
    [501, 'NotImplemented', 'ERR_PUBLISH_REFUSED', /cannot do that/, /"conditional": false/],
    [400, 'EntityTooLarge', 'ERR_PUBLISH_REFUSED', /unusable answer, 400/, /^$/],
    [503, 'SlowDown', 'ERR_PUBLISH_FAILED', /busy/, /again/],
    [500, 'InternalError', 'ERR_PUBLISH_FAILED', /busy/, /again/],
    [409, 'ConditionalRequestConflict', 'ERR_PUBLISH_FAILED', /busy/, /again/],
  ]
  for (const [status, code, ours, message, hint] of ANSWERS) {
    test(`${status} ${code}`, async (t) => {
      const { double, publisher } = await open(t)
      double.fault = () => ({ status, code })
      const error = await errorOf(publisher.putDocument('releases/1.0.0.json', bytesOf('x')))
      assert.equal(error.code, ours)
      assert.match(error.message, message)
      assert.match(error.message, /s3:\/\/updates\/agents, releases\/1\.0\.0\.json$/)
      assert.match(error.hint ?? '', hint)
      assert.deepEqual([error.details['reason'], error.details['status']], [code, status])
      assert.equal(error.retryable, ours === 'ERR_PUBLISH_FAILED')

      double.fault = () => undefined
      await publisher.putDocument('releases/1.0.0.json', bytesOf('x'))
    })
  }

  test('no server at all', async (t) => {
    const { double, publisher } = await open(t)
    double.fault = () => 'hang up'
    const error = await errorOf(publisher.read('version.json', 10))
    assert.deepEqual([error.code, error.retryable], ['ERR_PUBLISH_FAILED', true])
    assert.match(error.message, /^no connection \(/)
    const nowhere = await openPlace({ bucket: BUCKET, endpoint: 'http://127.0.0.1:9' })
    assert.match((await errorOf(nowhere.read('version.json', 10))).message, /^no connection \(ECONNREFUSED/)
  })

  test('a page that is no S3', async (t) => {
    const { double, publisher } = await open(t)
    double.objects.set('agents/bin/1/a', { bytes: Buffer.from('x'), etag: 'x', modified: new Date(), headers: {} })
    double.fault = () => ({ status: 502, code: 'BadGateway' })
    assert.equal((await errorOf(publisher.list(''))).code, 'ERR_PUBLISH_FAILED')
  })

  for (const [name, env, message] of [
    ['no credentials', {}, /^no credentials were found/],
    ['no package', { WITHOUT_SDK: '1' }, /needs a package that is not installed/],
  ] as const) {
    test(`${name}, in a process of its own`, async (t) => {
      const { endpoint } = await startDouble(t)
      const library = new URL('../../../release/index.ts', import.meta.url).href
      const program = `
        import { register } from 'node:module'
        const hook = 'export const resolve = (name, context, next) => { if (name.startsWith("@aws-sdk/")) throw Object.assign(new Error(name), { code: "ERR_MODULE_NOT_FOUND" }); return next(name, context) }'
        if (process.env.WITHOUT_SDK) register('data:text/javascript,' + encodeURIComponent(hook))
        const { openPublisher } = await import(${JSON.stringify(library)})
        const publish = { s3: { bucket: 'updates', endpoint: ${JSON.stringify(endpoint)} } }
        try { await (await openPublisher({ publish }, '.')).read('version.json', 10) } catch (error) { console.log(JSON.stringify(error)) }`
      const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program]
      const { AWS_ACCESS_KEY_ID: _, ...plain } = process.env
      const child = spawn(process.execPath, args, {
        env: { ...plain, HOME: '/nowhere', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      await once(child, 'close')
      const error = JSON.parse(output) as { code: string; message: string; hint: string }
      assert.equal(error.code, 'ERR_CONFIG_MISSING')
      assert.match(error.message, message)
      assert.match(error.hint, /npm install @aws-sdk\/client-s3 @aws-sdk\/lib-storage|AWS_ACCESS_KEY_ID/)
    })
  }
})

describe('conditions of writes', () => {
  const isPut = ({ method, key }: DoubleRequest, end: string): boolean => method === 'PUT' && key.endsWith(end)

  test('ETags are sent without quotes', async (t) => {
    const { double, publisher } = await open(t)
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    await publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one')))
    const puts = double.requests.filter((request) => isPut(request, 'version.json'))
    assert.deepEqual(
      puts.map(({ headers }) => [headers['if-none-match'], headers['if-match']]),
      [
        ['*', undefined],
        [undefined, double.requests.length > 0 ? 'f97c5d29941bfb1b2fdab0874906ab82' : ''],
      ],
    )
  })

  test('of many that replace the same manifest at once, one wins, without any lock', async (t) => {
    const { publisher } = await open(t)
    await publisher.replaceManifest('version.json', bytesOf('first'), undefined)
    const texts = Array.from({ length: 8 }, (_, index) => `text ${index}`)
    const first = sha256(bytesOf('first'))
    const outcomes = await Promise.allSettled(
      texts.map((text) => publisher.replaceManifest('version.json', bytesOf(text), first)),
    )
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  test('a service that ignores them is found out before anything is written', async (t) => {
    const { double, publisher } = await open(t)
    double.conditions = 'ignored'
    await assert.rejects(publisher.lock(), failsWith('ERR_PUBLISH_REFUSED', /ignores the conditions of writes/))
    assert.deepEqual([...double.objects.keys()], [])
  })

  test('a lock whose beginning is cut short is not left behind', async (t) => {
    const { double, publisher } = await open(t)
    for (const isCut of [
      ({ headers }: DoubleRequest) => headers['if-match'] !== undefined,
      ({ query }: DoubleRequest) => query.has('uploads'),
    ]) {
      double.fault = (request) => (isCut(request) ? { status: 400, code: 'InvalidRequest' } : undefined)
      await publisher.lock().then((unlock) => unlock(), failsWith('ERR_PUBLISH_REFUSED'))
      assert.deepEqual([...double.objects.keys()], [])
    }
  })

  test('a service that refuses them is named, with the way to go on', async (t) => {
    const { double, publisher } = await open(t)
    double.conditions = 'refused'
    const error = await errorOf(publisher.lock())
    assert.deepEqual([error.code, error.details['status']], ['ERR_PUBLISH_REFUSED', 501])
    assert.match(error.hint ?? '', /"conditional": false/)
  })

  test('with "conditional": false it goes on without them, and says so', async (t) => {
    const double = await startDouble(t)
    double.conditions = 'refused'
    const notes: string[] = []
    const config = { bucket: BUCKET, endpoint: double.endpoint, conditional: false }
    const publisher = await openPlace(config, { on: (event) => event.kind === 'note' && notes.push(event.text) })
    const unlock = await publisher.lock()
    assert.match(notes.join(), /^nothing keeps two releases apart/)
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    await publisher.putDocument('releases/1.0.0.json', bytesOf('one'))
    await assert.rejects(publisher.putDocument('releases/1.0.0.json', bytesOf('two')), failsWith('ERR_PUBLISH_EXISTS'))
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    await assert.rejects(
      publisher.replaceManifest('version.json', bytesOf('two'), undefined),
      failsWith('ERR_PUBLISH_CONFLICT'),
    )
    await publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one')))
    await unlock()
  })

  test('a write whose answer is lost is recognised as done, and not as lost to another', async (t) => {
    const { double, publisher } = await open(t)
    let left = 1
    double.fault = (request) => (isPut(request, 'version.json') && left-- > 0 ? 'lose answer' : undefined)
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    assert.equal(left < 0, true, 'it was asked a second time')
    left = 1
    await publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one')))
    assert.equal(double.objects.get('agents/version.json')?.bytes.toString(), 'two')
  })

  test('409 of two writes that met is tried again, on the same condition', async (t) => {
    const { double, publisher } = await open(t)
    let left = 2
    double.fault = (request) =>
      isPut(request, 'version.json') && left-- > 0 ? { status: 409, code: 'ConditionalRequestConflict' } : undefined
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    assert.equal(double.requests.filter((request) => isPut(request, 'version.json')).length, 3)
    left = 1
    const other = { bytes: Buffer.from('other'), etag: 'other', modified: new Date(), headers: {} }
    double.fault = (request) => {
      if (!isPut(request, 'version.json') || left-- <= 0) return undefined
      double.objects.set('agents/version.json', other)
      return { status: 409, code: 'ConditionalRequestConflict' }
    }
    await assert.rejects(
      publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one'))),
      failsWith('ERR_PUBLISH_CONFLICT'),
    )
  })

  test('a manifest that is gone meanwhile is a conflict', async (t) => {
    const { double, publisher } = await open(t)
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    double.fault = (request) => {
      if (isPut(request, 'version.json')) double.objects.delete('agents/version.json')
      return undefined
    }
    await assert.rejects(
      publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one'))),
      failsWith('ERR_PUBLISH_CONFLICT', /changed by another release/),
    )
  })
})

describe('artifacts in a bucket', () => {
  test('what fails in the middle of an upload leaves no object and no parts', async (t) => {
    const { double, publisher } = await open(t)
    const file = join(await temporaryFolder(t), 'large')
    const bytes = Buffer.alloc(20 * 1024 * 1024, 'x')
    await writeFile(file, bytes)
    double.fault = ({ query }) => (query.get('partNumber') === '2' ? { status: 403, code: 'AccessDenied' } : undefined)
    const upload = { size: bytes.length, sha256: sha256(bytes), source: { file } }
    await assert.rejects(publisher.putArtifact('bin/1.0.0/a', upload), failsWith('ERR_PUBLISH_REFUSED', /denied/))
    assert.deepEqual([double.objects.size, double.uploads.size], [0, 0])
    double.fault = () => undefined
    await publisher.putArtifact('bin/1.0.0/a', upload)
    assert.equal(double.objects.get('agents/bin/1.0.0/a')?.bytes.equals(bytes), true)
  })

  test('a signal stops an upload, and its parts are removed', async (t) => {
    const double = await startDouble(t)
    const stop = new AbortController()
    const publisher = await openPlace({ bucket: BUCKET, endpoint: double.endpoint }, { signal: stop.signal })
    const file = join(await temporaryFolder(t), 'large')
    const bytes = Buffer.alloc(60 * 1024 * 1024, 'x')
    await writeFile(file, bytes)
    const upload = { size: bytes.length, sha256: sha256(bytes), source: { file } }
    await assert.rejects(
      publisher.putArtifact('bin/1.0.0/a', upload, () => stop.abort()),
      { name: 'AbortError' },
    )
    await until('the parts to be removed', () => double.uploads.size === 0)
    assert.equal(double.objects.size, 0)
    await assert.rejects(publisher.read('version.json', 10), { name: 'AbortError' })
  })

  test('a body that breaks off is an error of publishing, and no shorter file', async (t) => {
    const { double, publisher } = await open(t)
    await publisher.putArtifact('bin/1.0.0/a', fileOf('a text of some length'))
    double.fault = () => 'cut body'
    for (const work of [publisher.digest('bin/1.0.0/a'), publisher.read('bin/1.0.0/a', 100)])
      await assert.rejects(work, failsWith('ERR_PUBLISH_FAILED', /^no connection/))
    double.fault = () => undefined
    assert.equal((await publisher.digest('bin/1.0.0/a'))?.size, 21)
  })

  test('a right that only cleaning up needs may be missing', async (t) => {
    const double = await startDouble(t)
    const notes: string[] = []
    const config = { bucket: BUCKET, endpoint: double.endpoint }
    const publisher = await openPlace(config, { on: (event) => event.kind === 'note' && notes.push(event.text) })
    double.fault = ({ query }) => (query.has('uploads') ? { status: 403, code: 'AccessDenied' } : undefined)
    const unlock = await publisher.lock()
    assert.match(notes.join(), /^unfinished uploads were not looked for: access is denied/)
    await unlock()
  })

  test('encryption and tags go with every object', async (t) => {
    const { double, publisher } = await open(t, { sse: 'aws:kms', kmsKey: 'key-1', tags: { a: 'b c', d: 'e' } })
    const unlock = await publisher.lock()
    await publisher.putDocument('releases/1.0.0.json', bytesOf('x'))
    await publisher.putArtifact('bin/1.0.0/a', fileOf('x'))
    await publisher.replaceManifest('version.json', bytesOf('x'), undefined)
    await unlock()
    const puts = double.requests.filter(({ method }) => method === 'PUT')
    assert.ok(puts.length >= 5)
    for (const { headers } of puts) {
      assert.equal(headers['x-amz-server-side-encryption'], 'aws:kms')
      assert.equal(headers['x-amz-server-side-encryption-aws-kms-key-id'], 'key-1')
      assert.equal(headers['x-amz-tagging'], 'a=b%20c&d=e')
    }
  })
})

test('the clock of the service is that of its answers', async (t) => {
  const { double, publisher } = await open(t)
  double.clockOffsetMs = 3 * 3600 * 1000
  const offMs = ((await publisher.clock?.()) ?? 0) - Date.now()
  assert.ok(Math.abs(offMs - double.clockOffsetMs) < 60_000, String(offMs))
})
