// Deltas in a bucket and at GitHub: the old artifact comes from there, and the patch lies there under a name it takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type Release, sha256 } from '../../../manifests/index.ts'
import { startGitHub, TOKEN } from '../publishers/github-double.ts'
import { BUCKET, startDouble } from '../publishers/s3-double.ts'
import { useTestCredentials } from '../publishers/s3-place.ts'
import { deltasOf, listen, makeDeltaProject } from './delta-project.ts'

useTestCredentials()

const PATH = 'bin/1.1.0/probe-linux-amd64.from-1.0.0'

test('a release to a bucket has a delta from the one that lies there', async (t) => {
  const double = await startDouble(t)
  const publish = { s3: { bucket: BUCKET, endpoint: double.endpoint } }
  const { build, release } = await makeDeltaProject(t, { publish, platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  await build('two')
  const { notes, deps } = listen()
  await release('1.1.0', {}, deps)
  const document = double.objects.get('releases/1.1.0.json')
  const { binaries } = JSON.parse(String(document?.bytes)) as Release
  const [delta] = deltasOf(binaries['linux-amd64'] ?? assert.fail('no binary'))
  const patch = double.objects.get(PATH) ?? assert.fail('no patch')
  assert.deepEqual([delta?.url, delta?.sha256, notes], [PATH, sha256(patch.bytes), []])
})

test('a release to GitHub has a delta from the one that lies there, whatever its version is called', async (t) => {
  const github = await startGitHub(t)
  const target = { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN' }
  const { build, release } = await makeDeltaProject(t, { publish: { github: target }, platforms: ['linux-amd64'] })
  const env = { TOKEN }
  await build('one')
  await release('1.0.0+build.1', {}, { env })
  const { notes, deps } = listen()
  await build('two')
  await release('1.1.0', {}, { ...deps, env })
  const assets = [...github.state.releases.values()].find(({ tag }) => tag === 'bin/1.1.0')?.assets ?? []
  const names = [...assets.values()].map(({ name }) => name).toSorted()
  assert.deepEqual(names, [
    'probe-linux-amd64',
    'probe-linux-amd64.br',
    'probe-linux-amd64.from-1.0.0_build.1',
    'release.json',
  ])
  assert.deepEqual(notes, [])

  // GitHub's own name for an upload that is not renamed yet: it takes no such asset for good.
  await release('1.2.0-x.12345678.next', {}, { env })
  await build('three')
  const after = listen()
  await release('1.2.0', {}, { ...after.deps, env })
  assert.match(after.notes.join('\n'), /^no delta from 1\.2\.0-x\.12345678\.next for linux-amd64: not a name/)
})
