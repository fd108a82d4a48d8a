import assert from 'node:assert/strict'
import { test } from 'node:test'

import { historyPath } from '../../../release/layout.ts'
import { startGitHub } from './github-double.ts'
import { bytesOf, fileOf, openDouble } from './github-place.ts'

const [ONE, TWO] = [fileOf('one'), fileOf('two')]

test('manifests of before are kept where releases are immutable, too: each is a release of its own', async (t) => {
  const github = await startGitHub(t)
  github.state.isImmutable = true
  const publisher = openDouble(github)
  await publisher.replaceManifest('version.json', bytesOf('live'), undefined)
  for (const file of [ONE, TWO, ONE]) await publisher.putArtifact(historyPath(file.sha256), file)
  for (const [file, text] of [
    [ONE, 'one'],
    [TWO, 'two'],
  ] as const)
    assert.deepEqual(
      Buffer.from((await publisher.read(historyPath(file.sha256), 10)) ?? []),
      Buffer.from(bytesOf(text)),
    )
  assert.equal(github.state.latest()?.tag, 'manifests/stable/1', 'none of them is what agents poll')
  assert.deepEqual(await publisher.channels(), ['stable'])
})

test('one that a killed run did not publish goes with the next lock, and those that are published stay', async (t) => {
  const github = await startGitHub(t)
  const publisher = openDouble(github)
  await publisher.putArtifact(historyPath(ONE.sha256), ONE)
  const draft = github.state.create(`history/${TWO.sha256}`)
  draft.draft = true
  draft.body = '<!-- moult -->'
  await (
    await publisher.lock()
  )()
  assert.deepEqual(
    [...github.state.releases.values()].map(({ tag }) => tag),
    [`history/${ONE.sha256}`],
  )
})
