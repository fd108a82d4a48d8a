// The whole way of a release into a bucket: what test/release/release.test.ts shows for a directory holds there, too.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { openPublisher, readConfig, readRoots, setRollout, verifyPublished } from '../../release/index.ts'
import { type Fixture, failsWith, makeProject } from './project-fixture.ts'
import { BUCKET, type S3Double, startDouble } from './publishers/s3-double.ts'
import { useTestCredentials } from './publishers/s3-place.ts'

useTestCredentials()

async function makeS3Project(t: TestContext): Promise<{ readonly project: Fixture; readonly double: S3Double }> {
  const double = await startDouble(t)
  const publish = { s3: { bucket: BUCKET, endpoint: double.endpoint, prefix: 'agents/probe' } }
  return { project: await makeProject(t, { publish }), double }
}

async function verify({ config, dir }: Fixture): Promise<{ version: string; sequence: number }> {
  const loaded = await readConfig(config)
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  return verifyPublished({ place: await openPublisher(loaded.config, loaded.dir), root })
}

test('a project is released to a bucket, and to a folder again, by a change of its configuration', async (t) => {
  const { project, double } = await makeS3Project(t)
  const uploads: string[] = []
  const on = (event: { kind: string; subject?: string }): void => {
    if (event.kind === 'progress') uploads.push(event.subject ?? '')
  }
  const { kind } = await project.release('1.0.0', {}, { on })
  assert.equal(kind, 'published')
  const paths = [...double.objects.keys()].map((key) => key.replace(/[0-9a-f]{64}/, '<sha256>'))
  assert.deepEqual(paths.toSorted(), [
    'agents/probe/.attempted.json',
    'agents/probe/bin/1.0.0/probe-darwin-arm64',
    'agents/probe/bin/1.0.0/probe-linux-amd64',
    'agents/probe/bin/1.0.0/provenance.intoto.json',
    'agents/probe/bin/1.0.0/sbom.cdx.json',
    'agents/probe/feed.atom',
    'agents/probe/history/<sha256>.json',
    'agents/probe/releases/1.0.0.json',
    'agents/probe/trust/1.root.json',
    'agents/probe/version.json',
  ])
  assert.deepEqual([...new Set(uploads)].toSorted(), [
    'bin/1.0.0/probe-darwin-arm64',
    'bin/1.0.0/probe-linux-amd64',
    'bin/1.0.0/provenance.intoto.json',
    'bin/1.0.0/sbom.cdx.json',
  ])
  assert.equal((await project.release('1.0.0')).kind, 'unchanged')

  await setRollout({ config: project.config, version: '1.0.0', percent: 5 }, { env: {} })
  const { version, sequence } = await verify(project)
  assert.deepEqual([version, sequence], ['1.0.0', 2])

  await project.change({ publish: { type: 'directory', path: './updates' } })
  await project.release('1.0.1')
  assert.equal((await verify(project)).version, '1.0.1')
})

test('case 95: a version that is published stays as it is', async (t) => {
  const { project } = await makeS3Project(t)
  await project.release('1.0.0')
  await project.writeAgents('echo other')
  await assert.rejects(project.release('1.0.0'), failsWith('ERR_PUBLISH_EXISTS', /1\.0\.0/))
  assert.equal((await verify(project)).sequence, 1)
})

test('case 96: when what was uploaded does not read back, the manifest before is put back', async (t) => {
  const { project, double } = await makeS3Project(t)
  const artifact = 'agents/probe/bin/1.0.1/probe-linux-amd64'
  // The service loses a byte of an artifact after it was uploaded.
  double.fault = ({ key }) => {
    const found = double.objects.get(artifact)
    if (key.endsWith('version.json') && found !== undefined)
      double.objects.set(artifact, { ...found, bytes: found.bytes.subarray(1) })
    return undefined
  }
  await project.release('1.0.0')
  await assert.rejects(project.release('1.0.1'), failsWith('ERR_PUBLISH_READ_BACK'))
  assert.equal((await verify(project)).version, '1.0.0')
  double.fault = () => undefined
  await project.writeAgents('echo 2')
  await project.release('1.0.2')
  assert.deepEqual(await verify(project).then(({ version, sequence }) => [version, sequence]), ['1.0.2', 3])
  assert.equal(double.objects.has('agents/probe/.lock'), false)
})

test('case 96: a first release that does not read back is taken away', async (t) => {
  const { project, double } = await makeS3Project(t)
  double.fault = ({ key, method }) => {
    const artifact = 'agents/probe/bin/1.0.0/probe-linux-amd64'
    if (method === 'GET' && key === artifact && double.objects.has('agents/probe/version.json'))
      return { status: 403, code: 'AccessDenied' }
    return undefined
  }
  await assert.rejects(project.release('1.0.0'), failsWith('ERR_PUBLISH_READ_BACK'))
  assert.equal(double.objects.has('agents/probe/version.json'), false)
})

test('case 99: a clock that the service contradicts signs nothing', async (t) => {
  const { project, double } = await makeS3Project(t)
  for (const offsetMs of [-11 * 60_000, 11 * 60_000]) {
    double.clockOffsetMs = offsetMs
    await assert.rejects(project.release('1.0.0'), failsWith('ERR_TRUST_DATE', /s3:\/\/updates\/agents\/probe says/))
  }
  assert.equal(double.objects.size, 0)
  double.clockOffsetMs = 9 * 60_000
  await project.release('1.0.0')
})

test('a plan takes no lock and writes nothing', async (t) => {
  const { project, double } = await makeS3Project(t)
  assert.equal((await project.release('1.0.0', { plan: true })).kind, 'planned')
  assert.deepEqual(
    double.requests.filter(({ method }) => method !== 'GET'),
    [],
  )
})
