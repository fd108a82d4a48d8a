import assert from 'node:assert/strict'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { DOWNLOADS_MAX } from '../../../manifests/index.ts'
import { failsWith } from '../project-fixture.ts'
import { basesOf, deltasOf, listen, makeDeltaProject, writeFleet } from './delta-project.ts'

test('deltas start from the last releases of the channel, as many as are wanted, and nothing leads from equal bytes', async (t) => {
  const { build, release, binaryOf, change } = await makeDeltaProject(t, {
    platforms: ['linux-amd64'],
    deltas: { last: 2 },
  })
  for (const [version, text] of [
    ['1.0.0', 'a'],
    ['1.1.0', 'b'],
    ['1.2.0', 'c'],
    ['1.3.0', 'd'],
  ] as const) {
    await build(text)
    await release(version, { deltas: version === '1.3.0' })
  }
  assert.deepEqual(basesOf(await binaryOf('1.3.0')), ['1.2.0', '1.1.0'])
  await build('c')
  await release('1.4.0')
  assert.deepEqual(basesOf(await binaryOf('1.4.0')), ['1.3.0'])
  await change({ deltas: true })
  await build('e')
  await release('1.5.0')
  // 1.4.0 and 1.2.0 are the same bytes.
  assert.deepEqual(basesOf(await binaryOf('1.5.0')), ['1.4.0', '1.3.0'])
})

test('what most agents run gets deltas, too, and made-up versions cost a note', async (t) => {
  const { build, release, binaryOf, dir } = await makeDeltaProject(t, {
    platforms: ['linux-amd64'],
    deltas: { last: 1, fleet: 2 },
  })
  for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0']) {
    await build(version)
    await release(version, { deltas: false })
  }
  const flood = Object.fromEntries(Array.from({ length: 100_001 }, (_, index) => [`8.0.${index}`, 1]))
  const versions = {
    ...flood,
    none: 900,
    '../../etc': 800,
    '9.9.9': 700,
    '1.4.0': 600,
    '1.0.0': 20,
    '1.1.0': 10,
    '1.2.0': 50,
  }
  const deltaFleet = await writeFleet(dir, versions)
  await build('next')
  const { notes, deps } = listen()
  await release('1.5.0', { deltaFleet }, deps)
  assert.deepEqual(basesOf(await binaryOf('1.5.0')), ['1.4.0', '1.2.0', '1.0.0'])
  assert.deepEqual(notes, ['no delta from 9.9.9 (not published, or removed since: releases/9.9.9.json)'])

  await build('last')
  const other = await writeFleet(dir, versions, 'another')
  const refused = listen()
  await assert.rejects(
    release('1.6.0', { deltaFleet: other }, refused.deps),
    failsWith('ERR_USAGE_INVALID', /another instead of probe/),
  )
  assert.deepEqual(refused.steps, [], 'before anything is built')
  const both = { deltas: false, deltaFleet }
  await assert.rejects(release('1.6.0', both), failsWith('ERR_USAGE_INVALID', /--no-delta/))
  const missing = { deltaFleet: join(dir, 'none.json') }
  await assert.rejects(release('1.6.0', missing), failsWith('ERR_USAGE_INVALID', /cannot be read/))
})

test('a base with build metadata has a name that every place takes', async (t) => {
  const { build, release, binaryOf, updates } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0+build.7')
  await build('two')
  await release('1.1.0', { rollout: false })
  const [delta] = deltasOf(await binaryOf('1.1.0'))
  assert.equal(delta?.url, 'bin/1.1.0/probe-linux-amd64.from-1.0.0_build.7')
  await rm(join(updates, delta.url))
  await release('1.1.0')
  assert.equal((await stat(join(updates, delta.url))).size, delta.size)
})

test('a release for another channel has a delta from what is live on stable, where it may be promoted', async (t) => {
  const { build, release, binaryOf } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  for (const version of ['1.1.0-rc.1', '1.1.0-rc.2']) {
    await build(version)
    await release(version, { channel: 'beta' })
  }
  assert.deepEqual(basesOf(await binaryOf('1.1.0-rc.1')), ['1.0.0'])
  assert.deepEqual(basesOf(await binaryOf('1.1.0-rc.2')), ['1.1.0-rc.1', '1.0.0'])
})

test('the most deltas that can be configured and the compressed download are within the limit of the format', async (t) => {
  const { change, release, build } = await makeDeltaProject(t)
  await build('one')
  await change({ deltas: { last: 16, fleet: 12 } })
  await release('1.0.0')
  await change({ deltas: { last: 17, fleet: 12 } })
  await assert.rejects(release('1.1.0'), failsWith('ERR_CONFIG_INVALID'))
  // And one from what is live on stable, and the compressed download.
  assert.ok(16 + 12 + 2 <= DOWNLOADS_MAX)
})
