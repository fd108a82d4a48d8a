import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startGitHub } from './github-double.ts'
import { bytesOf, openDouble } from './github-place.ts'

// A file of its own: what counts is which of the two is used first in a process. With `publish.url`, the clock of that
// address is asked by undici, before anything is uploaded by fetch.
test('files are uploaded also where the package undici was loaded before', async (t) => {
  await import('undici')
  const publisher = openDouble(await startGitHub(t))
  await publisher.putDocument('trust/1.root.json', bytesOf('root'))
  assert.deepEqual(Buffer.from((await publisher.read('trust/1.root.json', 10)) ?? []), Buffer.from('root'))
})
