// From `moult release` into a bucket of a real gateway to an agent that updates itself from it.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { makeProject, temporaryFolder } from '../release/project-fixture.ts'
import { type Gateway, gatewayMissing, startGateway } from '../release/publishers/ceph-gateway.ts'
import { freshPrefix, makeBucket, useTestCredentials } from '../release/publishers/s3-place.ts'
import { runMoult } from './moult-process.ts'

const BUCKET = 'updates'

describe('a bucket that everybody may read', { skip: gatewayMissing() }, () => {
  let gateway: Gateway
  before(async () => {
    useTestCredentials()
    gateway = await startGateway()
    await makeBucket(gateway.endpoint, BUCKET)
    await allowReading(gateway.endpoint)
  })
  after(() => gateway.close())

  test('agents update from it, also to a version with build metadata', async (t) => {
    const prefix = freshPrefix()
    const url = `${gateway.endpoint}/${BUCKET}/${prefix}`
    const { dir, writeAgents } = await makeProject(t, {
      platforms: ['linux-amd64', 'linux-arm64', 'darwin-amd64', 'darwin-arm64'],
      build: { type: 'files', path: 'bin/agent-linux-amd64' },
      publish: { s3: { bucket: BUCKET, endpoint: gateway.endpoint, prefix }, url },
    })
    const home = join(await temporaryFolder(t), 'home')
    const succeed = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runMoult(args, dir)
      assert.equal(code, 0, `moult ${args.join(' ')}\n${stdout}${stderr}`)
      return stdout
    }
    await writeAgents('echo 1.0.0')
    await succeed('release', '1.0.0')
    await succeed('agent', 'install', '--home', home, '--server', url, '--root', 'trust/1.root.json')

    await writeAgents('echo 1.0.1+5')
    await succeed('release', '1.0.1+5')
    const verified = JSON.parse(await succeed('verify', '--json')) as { place: string; version: string }
    assert.deepEqual([verified.place, verified.version], [url, '1.0.1+5'])

    const check = await runMoult(['agent', 'check', '--home', home, '--apply'], dir)
    assert.equal(check.code, 100, check.stderr)
    const { record } = JSON.parse(await succeed('agent', 'status', '--home', home, '--json')) as {
      record: { version: string }
    }
    assert.equal(record.version, '1.0.1+5')
    assert.match(await readFile(join(dir, 'bin/agent-linux-amd64'), 'utf8'), /echo 1\.0\.1\+5/)
  })
})

async function allowReading(endpoint: string): Promise<void> {
  const { PutBucketPolicyCommand, S3Client } = await import('@aws-sdk/client-s3')
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${BUCKET}/*` }
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
  await client.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy }))
  client.destroy()
}
