import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { loadYaml } from '@kubernetes/client-node'

import { readRoot, parseStrictJson, sha256 } from '../../../manifests/index.ts'
import { verifyPublished } from '../../../release/index.ts'
import { failsWith, makeProject } from '../project-fixture.ts'

const DIGEST = `sha256:${'5c'.repeat(32)}`
const IMAGE = `registry.example.com/agents/probe:1.0@${DIGEST}`
const VALUES = 'updates/bin/1.0.0/helm-values.yaml'

interface Published {
  readonly container_image: string
  readonly attachments?: { readonly helm_values?: { readonly url: string; readonly sha256: string } }
}

test('a release with an image publishes values for a chart, and is signed with their hash', async (t) => {
  const { release, read, readJson, updates } = await makeProject(t)
  await release('1.0.0', { containerImage: IMAGE })
  const { attachments, container_image: image } = await readJson<Published>('updates/version.json')
  assert.equal(image, IMAGE)
  assert.equal(attachments?.helm_values?.url, 'bin/1.0.0/helm-values.yaml')
  assert.equal(attachments.helm_values.sha256, sha256(Buffer.from(await read(VALUES))))
  assert.deepEqual(loadYaml(await read(VALUES)), {
    image: { repository: 'registry.example.com/agents/probe', tag: '1.0', digest: DIGEST, reference: IMAGE },
    appVersion: '1.0.0',
  })
  const root = readRoot(parseStrictJson(Buffer.from(await read('trust/1.root.json'))))
  const { files } = await verifyPublished({ place: updates, root })
  assert.equal(files.filter(({ attachment }) => attachment === 'helm_values').length, 1)
})

test('values that were changed are found, and put right by the same release', async (t) => {
  const { release, read, updates, dir } = await makeProject(t)
  await release('1.0.0', { containerImage: IMAGE })
  const whole = await read(VALUES)
  await writeFile(join(dir, VALUES), whole.replace(DIGEST, `sha256:${'6d'.repeat(32)}`))
  const root = readRoot(parseStrictJson(Buffer.from(await read('trust/1.root.json'))))
  await assert.rejects(verifyPublished({ place: updates, root }), failsWith('ERR_BYTES_HASH', /helm-values/))
  assert.equal((await release('1.0.0', { containerImage: IMAGE })).kind, 'unchanged')
  assert.equal(await read(VALUES), whole)
  await verifyPublished({ place: updates, root })
})

test('on another channel, and below a base URL, the values lie where the release says', async (t) => {
  const { release, readJson } = await makeProject(t)
  await release('1.0.0', { containerImage: IMAGE, channel: 'beta' })
  const beta = await readJson<Published>('updates/beta/version.json')
  assert.equal(beta.attachments?.helm_values?.url, 'bin/1.0.0/helm-values.yaml')
  await release('1.0.1', { containerImage: IMAGE, baseUrl: 'https://updates.example.com/agent' })
  const stable = await readJson<Published>('updates/version.json')
  assert.equal(stable.attachments?.helm_values?.url, 'https://updates.example.com/agent/bin/1.0.1/helm-values.yaml')
})

test('without an image there are no values', async (t) => {
  const { release, readJson } = await makeProject(t)
  await release('1.0.0')
  assert.equal((await readJson<Published>('updates/version.json')).attachments?.helm_values, undefined)
})
