// Two releases at once, and releases that are killed, on each kind of place: the live manifest is whole at every moment.

import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { openPublisher, type Publisher, readConfig, readRoots, verifyPublished } from '../../release/index.ts'
import { randomFrom } from '../fuzz/random.ts'
import { runMoult, startMoult } from './moult-process.ts'
import { type Fixture, makeProject, temporaryFolder, writeTree } from '../release/project-fixture.ts'
import { type Gateway, gatewayMissing, startGateway } from '../release/publishers/ceph-gateway.ts'
import { type JobOutcome, startWorker } from '../release/publishers/release-worker.ts'
import { freshPrefix, makeBucket, useTestCredentials } from '../release/publishers/s3-place.ts'

const BUCKET = 'updates'
const RACES = Number(process.env['MOULT_TEST_RACES'] ?? 20)
const CLI_RACES = 3
/** On each of the two kinds of place. */
const KILLS = Number(process.env['MOULT_TEST_KILLS'] ?? 10)
const SEED = Number(process.env['MOULT_TEST_SEED'] ?? Date.now() % 1_000_000)
/** Larger than one part of an upload, so that a kill meets parts on their way. */
const PADDING = '# nothing that is run\n'.repeat(450_000)

type Publish = Readonly<Record<string, unknown>>

async function publisherOf({ config }: Pick<Fixture, 'config'>): Promise<Publisher> {
  const loaded = await readConfig(config)
  return openPublisher(loaded.config, loaded.dir, { env: {} })
}

/** Two checkouts of one project, whose builds differ. */
async function makeTwins(t: TestContext, publish: Publish): Promise<readonly [Fixture, string]> {
  const project = await makeProject(t, { platforms: ['linux-amd64'], compress: false, deltas: false, publish })
  const twin = join(await temporaryFolder(t), 'twin')
  await cp(project.dir, twin, { recursive: true })
  return [project, twin]
}

async function build(dir: string, text: string): Promise<void> {
  await writeTree(dir, { 'bin/agent-linux-amd64': `#!/bin/sh\n${text}\n` })
}

function assertOneWinner(outcomes: readonly JobOutcome[], version: string): void {
  const told = JSON.stringify(outcomes)
  assert.equal(outcomes.filter(({ kind }) => kind === 'published').length, 1, told)
  for (const outcome of outcomes) {
    if (outcome.kind === 'published') continue
    assert.equal(outcome.exitCode, 27, told)
    assert.ok(['ERR_PUBLISH_CONFLICT', 'ERR_PUBLISH_EXISTS'].includes(outcome.code), told)
    assert.ok(outcome.message.includes(version), told)
  }
}

async function race(t: TestContext, publish: Publish): Promise<void> {
  const [project, twin] = await makeTwins(t, publish)
  const [root] = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  await project.release('1.0.0')
  const publisher = await publisherOf(project)
  const workers = [startWorker(), startWorker()]
  t.after(() => workers.forEach((worker) => worker.end()))
  const configs = [project.config, join(twin, 'moult.config.json')]
  let sequence = 1
  for (let round = 1; round <= RACES; round++) {
    const version = `1.0.${round}`
    await Promise.all([project.dir, twin].map((dir, index) => build(dir, `echo ${round} ${index}`)))
    const jobs = workers.map((worker, index) => worker.release({ config: configs[index] ?? '', version }))
    // While they run: whatever is live is whole.
    const { version: during } = await verifyPublished({ place: publisher, root })
    assert.ok([version, `1.0.${round - 1}`].includes(during), during)
    assertOneWinner(await Promise.all(jobs), version)
    const live = await verifyPublished({ place: publisher, root })
    assert.deepEqual([live.version, live.sequence], [version, ++sequence])
  }
  for (let round = 1; round <= CLI_RACES; round++) {
    const version = `1.1.${round}`
    await Promise.all([project.dir, twin].map((dir, index) => build(dir, `echo ${version} ${index}`)))
    const outcomes = await Promise.all([project.dir, twin].map((dir) => runMoult(['release', version], dir)))
    assert.deepEqual(new Set(outcomes.map(({ code }) => code)), new Set([0, 27]), JSON.stringify(outcomes))
    assert.ok(outcomes.find(({ code }) => code === 27)?.stderr.includes(version))
    assert.equal((await verifyPublished({ place: publisher, root })).version, version)
  }
}

async function kill(t: TestContext, publish: Publish): Promise<void> {
  const random = randomFrom(SEED)
  const project = await makeProject(t, {
    platforms: ['linux-amd64', 'darwin-arm64'],
    compress: false,
    deltas: false,
    publish,
  })
  const [root] = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  const publisher = await publisherOf(project)
  const live = async (): Promise<string> => (await verifyPublished({ place: publisher, root })).version
  const release = (version: string) => startMoult(['release', version], project.dir, { TMPDIR: project.dir })
  await project.writeAgents(`echo 0\n${PADDING}`)
  const startedAt = Date.now()
  assert.equal((await release('1.0.0').ended).code, 0)
  let durationMs = Date.now() - startedAt

  let before = '1.0.0'
  let killed = 0
  for (let run = 1; killed < KILLS; run++) {
    const version = `1.0.${run}`
    await project.writeAgents(`echo ${run}\n${PADDING}`)
    const { child, ended } = release(version)
    // The start of Node publishes nothing.
    const isOver = await Promise.race([ended, sleep(durationMs * (0.35 + 0.65 * random()))])
    child.kill('SIGKILL')
    const isKilled = (await ended).signal === 'SIGKILL'
    if (isKilled) killed += 1
    // A machine is faster or slower from one minute to the next.
    durationMs *= isOver === undefined ? 1.02 : 0.9
    const now = await live()
    assert.ok([version, before].includes(now), `${now} is live after run ${run}`)
    before = now
    if (!isKilled || (killed % 10 !== 0 && killed !== KILLS)) continue
    // Whatever the kills left, the next run goes through, also with another build of a version that did not get live.
    if (now !== version) await project.writeAgents(`echo ${run} again\n${PADDING}`)
    const again = await release(version).ended
    assert.equal(again.code, 0, again.stderr)
    before = await live()
    assert.equal(before, version)
  }
  t.diagnostic(`${killed} runs were killed before their end; one takes about ${Math.round(durationMs)} ms`)
  const verified = await runMoult(['verify'], project.dir)
  assert.equal(verified.code, 0, verified.stderr)
  const names = (await publisher.list('')).map(({ path }) => path.split('/').at(-1) ?? '')
  assert.deepEqual(
    names.filter((name) => name.startsWith('.') && name !== '.attempted.json'),
    [],
  )
}

const inFolder = async (t: TestContext): Promise<Publish> => {
  return { type: 'directory', path: join(await temporaryFolder(t), 'updates') }
}

describe('a directory', () => {
  test('case 94: of two releases at once exactly one wins, each time, and the other is told', async (t) => {
    await race(t, await inFolder(t))
  })
  test(`case 93: killed at any moment, the live manifest verifies (MOULT_TEST_SEED=${SEED})`, async (t) => {
    await kill(t, await inFolder(t))
  })
})

describe('a bucket', { skip: gatewayMissing() }, () => {
  let gateway: Gateway
  const inBucket = (): Publish => ({ s3: { bucket: BUCKET, endpoint: gateway.endpoint, prefix: freshPrefix() } })
  before(async () => {
    useTestCredentials()
    gateway = await startGateway()
    await makeBucket(gateway.endpoint, BUCKET)
  })
  after(() => gateway.close())

  test('case 94: of two releases at once exactly one wins, each time, and the other is told', (t) =>
    race(t, inBucket()))

  test(`case 93: killed at any moment, the live manifest verifies (MOULT_TEST_SEED=${SEED})`, async (t) => {
    await kill(t, inBucket())
    const { ListMultipartUploadsCommand, S3Client } = await import('@aws-sdk/client-s3')
    const client = new S3Client({ endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true })
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
    assert.deepEqual(Uploads, [])
    client.destroy()
  })
})
