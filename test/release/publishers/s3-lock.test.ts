import assert from 'node:assert/strict'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { type TestContext, test } from 'node:test'

import { connectS3, type S3Connection } from '../../../release/publishers/s3-client.ts'
import { lockBucket, type S3Lock } from '../../../release/publishers/s3-lock.ts'
import { putObject } from '../../../release/publishers/s3-objects.ts'
import { failsWith } from '../project-fixture.ts'
import { BUCKET, type S3Double, startDouble } from './s3-double.ts'
import { openPlace, useTestCredentials } from './s3-place.ts'

useTestCredentials()

interface Scene {
  readonly double: S3Double
  readonly s3: S3Connection
  /** What a locker's requests obey. */
  signal: AbortSignal
  readonly lock: (leaseMs?: number) => Promise<S3Lock>
}

async function scene(t: TestContext): Promise<Scene> {
  const double = await startDouble(t)
  const config = { bucket: BUCKET, endpoint: double.endpoint }
  const s3 = await connectS3(config, {}, () => AbortSignal.any([result.signal]))
  const result: Scene = {
    double,
    s3,
    signal: new AbortController().signal,
    lock: async (leaseMs) => {
      const lock = await lockBucket(s3, config, Date.now, '1.0.0 on stable', leaseMs)
      t.after(() => lock.release())
      return lock
    },
  }
  return result
}

/** As another process left it, by the clock of the service. */
function plant({ double }: Scene, holder: object, ageMs = 0): void {
  const bytes = Buffer.from(JSON.stringify({ pid: 1, since: '2026-01-01T00:00:00Z', nonce: 'x', ...holder }))
  const modified = new Date(Date.now() + double.clockOffsetMs - ageMs)
  double.objects.set('.lock', { bytes, etag: 'planted', modified, headers: {} })
}

test('a lock of another machine keeps others out for as long as it is renewed', async (t) => {
  const at = await scene(t)
  plant(at, { host: 'elsewhere' }, 50_000)
  await assert.rejects(at.lock(), failsWith('ERR_PUBLISH_CONFLICT', /process 1 on elsewhere since 2026/))
  plant(at, { host: 'elsewhere' }, 62_000)
  await at.lock()
})

test('the age of a lock is told by the clock of the service, whatever this machine believes', async (t) => {
  const at = await scene(t)
  at.double.clockOffsetMs = -5 * 3600 * 1000
  plant(at, { host: 'elsewhere' }, 50_000)
  await assert.rejects(at.lock(), failsWith('ERR_PUBLISH_CONFLICT'))
  at.double.clockOffsetMs += 20_000
  await at.lock()
})

test('the lock of a process that died on this machine is taken over at once, by exactly one', async (t) => {
  const at = await scene(t)
  plant(at, { host: hostname(), pid: process.pid, started: '1' })
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => at.lock()))
  assert.equal(attempts.filter(({ status }) => status === 'fulfilled').length, 1)
})

test('what is no lock at all ends like one that nobody renews', async (t) => {
  const at = await scene(t)
  at.double.objects.set('.lock', { bytes: Buffer.from('half'), etag: 'x', modified: new Date(), headers: {} })
  await assert.rejects(at.lock(), failsWith('ERR_PUBLISH_CONFLICT', /by another process/))
  at.double.clockOffsetMs = 70_000
  await at.lock()
})

test('a lock that is held is renewed, each time with another ETag', async (t) => {
  const at = await scene(t)
  await at.lock(3000)
  const seen = new Set<string>()
  while (seen.size < 3) {
    const { etag = '' } = at.double.objects.get('.lock') ?? {}
    seen.add(etag)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('who lost the lock is told by whom, and writes nothing more', async (t) => {
  const at = await scene(t)
  const { lost } = await at.lock(6000)
  at.signal = lost
  plant(at, { host: 'elsewhere', nonce: 'other' })
  await once(lost, 'abort')
  const config = { bucket: BUCKET }
  await assert.rejects(
    putObject(at.s3, config, 'bin/1.0.0/a', Buffer.from('x'), { kind: 'none' }),
    failsWith('ERR_PUBLISH_CONFLICT', /process 1 on elsewhere/),
  )
  assert.deepEqual([...at.double.objects.keys()], ['.lock'])
})

test('who cannot renew the lock for most of its time stops before others may take it', async (t) => {
  const at = await scene(t)
  const { lost } = await at.lock(1000)
  at.double.fault = () => ({ status: 403, code: 'AccessDenied' })
  await once(lost, 'abort')
  assert.throws(() => lost.throwIfAborted(), failsWith('ERR_PUBLISH_CONFLICT', /could not be renewed/))
  at.double.fault = () => undefined
})

test('a lock is released also by who was told to stop', async (t) => {
  const double = await startDouble(t)
  const stop = new AbortController()
  const publisher = await openPlace({ bucket: BUCKET, endpoint: double.endpoint }, { signal: stop.signal })
  const unlock = await publisher.lock()
  assert.equal(double.objects.size, 1)
  stop.abort()
  await unlock()
  assert.equal(double.objects.size, 0)
})
