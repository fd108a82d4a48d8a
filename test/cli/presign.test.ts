import assert from 'node:assert/strict'
import { test } from 'node:test'

import { makeProject } from '../release/project-fixture.ts'
import { BUCKET, startDouble } from '../release/publishers/s3-double.ts'
import { useTestCredentials } from '../release/publishers/s3-place.ts'
import { runMoult } from './moult-process.ts'

useTestCredentials()

test('presign gives a link to a published file, and refuses what it cannot link to', async (t) => {
  const { endpoint } = await startDouble(t)
  const { dir, change, release } = await makeProject(t)
  const ofFolder = await runMoult(['presign', 'version.json'], dir)
  assert.deepEqual([ofFolder.code, /no links that expire/.test(ofFolder.stderr)], [2, true])

  await change({ publish: { s3: { bucket: BUCKET, endpoint } } })
  await release('1.0.0')
  const { code, stdout, stderr } = await runMoult(['presign', 'bin/1.0.0/probe-linux-amd64', '--expires', '2h'], dir)
  assert.equal(code, 0, stderr)
  const url = new URL(stdout.trim())
  assert.equal(url.pathname, `/${BUCKET}/bin/1.0.0/probe-linux-amd64`)
  assert.equal(url.searchParams.get('X-Amz-Expires'), '7200')
  assert.equal((await fetch(url)).status, 200)

  for (const [args, reason] of [
    [['bin/9.9.9/probe-linux-amd64'], /not published/],
    [['version.json', '--expires', '8d'], /from 1s to 7d/],
    [['version.json', '--expires', 'soon'], /--expires: expected a duration/],
  ] as const) {
    const refused = await runMoult(['presign', ...args], dir)
    assert.equal(refused.code, 2, refused.stdout)
    assert.match(refused.stderr, reason)
  }
})
