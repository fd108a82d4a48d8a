import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { DELTA_ENCODING } from '../../../manifests/index.ts'
import { prune, readRoots, type ReleaseEvent, verifyPublished } from '../../../release/index.ts'
import { failsWith, PLATFORMS, snapshot } from '../project-fixture.ts'
import { agentText, applyPublished, basesOf, deltasOf, listen, makeDeltaProject } from './delta-project.ts'

test('a release has a delta from the one before it, for each platform, that gives its bytes', async (t) => {
  const { build, release, binaryOf, updates } = await makeDeltaProject(t)
  await build('one')
  await release('1.0.0')
  await build('two')
  const { steps, deps } = listen()
  const { files } = await release('1.1.0', {}, deps)
  for (const platform of PLATFORMS) {
    const [old, fresh] = [await binaryOf('1.0.0', platform), await binaryOf('1.1.0', platform)]
    const [delta, ...others] = deltasOf(fresh)
    assert.ok(delta !== undefined && others.length === 0)
    const path = `bin/1.1.0/probe-${platform}.from-1.0.0`
    assert.deepEqual([delta.url, delta.encoding, delta.from], [path, DELTA_ENCODING, old.sha256])
    assert.ok(delta.size < 2_000, `${delta.size} bytes`)
    assert.equal(await applyPublished(updates, old, delta, fresh.size), fresh.sha256)
    assert.ok(files.some((file) => file.path === path && file.size === delta.size && file.action === 'write'))
    assert.ok(steps.includes(`delta ${platform}`))
  }
})

test('a delta is read back and verified with the rest, and a damaged one is found', async (t) => {
  const { build, release, dir, updates, binaryOf } = await makeDeltaProject(t)
  await build('one')
  await release('1.0.0')
  await build('two')
  await release('1.1.0')
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  const { files } = await verifyPublished({ place: updates, root })
  const [delta] = deltasOf(await binaryOf('1.1.0'))
  assert.ok(delta !== undefined)
  assert.ok(files.some((file) => file.url === delta.url && file.from === delta.from))
  await appendFile(join(updates, delta.url), 'x')
  await assert.rejects(verifyPublished({ place: updates, root }), failsWith('ERR_BYTES_SIZE', /from-1\.0\.0/))
})

test('no deltas are made where they are not wanted', async (t) => {
  const { build, release, binaryOf, change } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  await build('two')
  await release('1.1.0', { deltas: false })
  assert.deepEqual(basesOf(await binaryOf('1.1.0')), [])
  await change({ deltas: false })
  await build('three')
  await release('1.2.0')
  assert.deepEqual(basesOf(await binaryOf('1.2.0')), [])
  await change({ deltas: { last: 1 } })
  await build('four')
  await release('1.3.0', { plan: true }).then(({ files }) => {
    assert.ok(files.some(({ path, action }) => path.endsWith('.from-1.2.0') && action === 'write'))
  })
})

test('a delta that saves less than a third of the best download is not published', async (t) => {
  const { writeAgents, build, release, binaryOf } = await makeDeltaProject(t)
  await build('one')
  await release('1.0.0')
  await writeAgents(agentText('one', 8))
  const { notes, deps } = listen()
  await release('1.1.0', {}, deps)
  assert.deepEqual([basesOf(await binaryOf('1.1.0')), notes], [[], []])
})

test('an old artifact that is damaged or gone costs its delta, and not the release', async (t) => {
  const { build, release, binaryOf, updates } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  const old = join(updates, 'bin/1.0.0/probe-linux-amd64')
  await writeFile(`${old}.br`, 'not brotli')
  await build('two')
  await release('1.1.0')
  assert.deepEqual(basesOf(await binaryOf('1.1.0')), ['1.0.0'], 'the whole one is sound')

  // As long as before.
  await writeFile(old, (await readFile(old, 'utf8')).replace('echo one', 'echo own'))
  await rm(join(updates, 'releases/1.1.0.json'))
  await build('three')
  const { notes, deps } = listen()
  await release('1.2.0', {}, deps)
  assert.deepEqual(basesOf(await binaryOf('1.2.0')), [])
  const ours = notes.filter((note) => note.startsWith('no delta'))
  assert.deepEqual(ours, [
    'no delta from 1.1.0 (not published, or removed since: releases/1.1.0.json)',
    'no delta from 1.0.0 for linux-amd64: not the signed bytes',
  ])
})

test('a delta that takes too long or too much memory is left out with a note', async (t) => {
  const { build, release, binaryOf, change } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  await build('two')
  for (const [version, deltas, note] of [
    ['1.1.0', { timeLimit: '1ms', last: 1 }, /^no delta from 1\.0\.0 for linux-amd64: took longer than 1ms$/],
    ['1.2.0', { memory: 50, last: 1 }, /^no delta from 1\.1\.0 for linux-amd64: would need 101 MB of memory$/],
  ] as const) {
    await change({ deltas })
    await build(version)
    const { notes, deps } = listen()
    await release(version, {}, deps)
    assert.match(notes.join('\n'), note)
    assert.deepEqual(basesOf(await binaryOf(version)), [])
  }
})

test('a delta that fails, or does not pay, leaves nothing in the way of what comes after it', async (t) => {
  const { build, release, updates, dir, writeAgents } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  await build('one')
  await release('1.0.0')
  const whole = join(updates, 'bin/1.0.0/probe-linux-amd64')
  await rm(`${whole}.br`)
  const scratch = join(dir, 'scratch')
  await mkdir(scratch)
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = scratch
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  const restsOf = async (version: string): Promise<string[]> => {
    const rests: string[] = []
    let steps = 0
    const on = (event: ReleaseEvent): void => {
      if (event.kind !== 'step') return
      if (event.step === 'delta') steps += 1
      if (event.step !== 'publish') return
      const names = readdirSync(scratch, { recursive: true, encoding: 'utf8' })
      rests.push(...names.filter((name) => /deltas.+/.test(name)))
    }
    await release(version, {}, { on })
    assert.ok(steps > 0)
    return rests
  }
  await writeAgents(agentText('one', 8))
  assert.deepEqual(await restsOf('1.1.0'), [], 'it does not pay')
  await writeFile(`${join(updates, 'bin/1.1.0/probe-linux-amd64')}.br`, 'no brotli')
  for (const version of ['1.0.0', '1.1.0']) await truncate(join(updates, `bin/${version}/probe-linux-amd64`), 50_000)
  await build('three')
  assert.deepEqual(await restsOf('1.2.0'), [], 'no old artifact is whole')
})

test('an interrupted release ends its threads and publishes nothing', async (t) => {
  const { build, release, updates } = await makeDeltaProject(t)
  await build('one')
  await release('1.0.0')
  await build('two')
  const before = await snapshot(updates)
  const stop = new AbortController()
  const on = (event: { kind: string; step?: string }): void => {
    if (event.step === 'delta') stop.abort()
  }
  await assert.rejects(release('1.1.0', {}, { on, signal: stop.signal }), { name: 'AbortError' })
  assert.deepEqual(await snapshot(updates), before)
})

test('a release that was stopped at any file is finished by a run that makes no deltas, and offers whole ones only', async (t) => {
  const { build, release, binaryOf, updates, dir } = await makeDeltaProject(t, {
    platforms: ['linux-amd64'],
    deltas: { last: 1 },
  })
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  await build('0')
  await release('1.0.0')
  const bases: string[][] = []
  for (let files = 1, stopped = true; stopped; files++) {
    const version = `1.${files}.0`
    await build(version)
    const stop = new AbortController()
    let seen = 0
    const on = (event: ReleaseEvent): void => {
      if (event.kind !== 'step' || event.step !== 'publish' || event.state !== 'started') return
      if ((seen += 1) === files) stop.abort()
    }
    stopped = await release(version, {}, { on, signal: stop.signal }).then(
      () => false,
      (error: unknown) => {
        if (!stop.signal.aborted) throw error
        return true
      },
    )
    await release(version, { deltas: false })
    assert.equal((await verifyPublished({ place: updates, root })).version, version)
    bases.push(basesOf(await binaryOf(version)))
  }
  // The artifact, packed, the deltas of what came before; then the document, which settles what they are.
  const settled = bases.findIndex((found) => found.length > 0)
  assert.deepEqual([settled > 2, bases.slice(settled).every((found) => found.length > 0)], [true, true])
})

test('a run for a version whose document is published makes again only what is missing of its deltas', async (t) => {
  const { build, release, updates, binaryOf, change } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  for (const version of ['1.0.0', '1.1.0']) {
    await build(version)
    await release(version)
  }
  await build('next')
  await release('1.2.0', { rollout: false })
  const [one, two] = deltasOf(await binaryOf('1.2.0'))
  assert.ok(one !== undefined && two !== undefined)
  await build('another build')
  const dropped = listen()
  await release('1.2.0', { rollout: false }, dropped.deps)
  assert.match(dropped.notes.join('\n'), /The build just made differs and is not used/)
  assert.ok(!dropped.steps.includes('delta linux-amd64'))
  await build('next')
  // What is wanted now does not count: the document is signed.
  await change({ deltas: { last: 1 } })
  await rm(join(updates, two.url))
  const { steps, deps } = listen()
  const { kind } = await release('1.2.0', {}, deps)
  assert.equal(kind, 'published')
  assert.equal(steps.filter((step) => step === 'delta linux-amd64').length, 1)
  assert.equal((await stat(join(updates, two.url))).size, two.size)

  await rm(join(updates, one.url))
  assert.equal((await release('1.2.0')).kind, 'unchanged')
  assert.equal((await stat(join(updates, one.url))).size, one.size)
  const again = listen()
  await release('1.2.0', {}, again.deps)
  assert.ok(!again.steps.includes('delta linux-amd64'))
})

test('prune keeps the deltas that are offered and the releases that they start from', async (t) => {
  const { build, release, config, updates } = await makeDeltaProject(t, { platforms: ['linux-amd64'] })
  const versionsKept = async (): Promise<string[]> => {
    await prune({ config, keep: 2 }, { env: {} })
    return (await readdir(join(updates, 'releases'))).toSorted().map((name) => name.slice(0, -'.json'.length))
  }
  for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0']) {
    await build(version)
    await release(version, { deltas: version === '1.2.0' })
  }
  // 1.2.0 is what agents are offered that 1.3.0 is held back from.
  assert.deepEqual(await versionsKept(), ['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
  assert.deepEqual((await readdir(join(updates, 'bin/1.2.0'))).toSorted(), [
    'probe-linux-amd64',
    'probe-linux-amd64.br',
    'probe-linux-amd64.from-1.0.0',
    'probe-linux-amd64.from-1.1.0',
  ])
  await build('1.4.0')
  await release('1.4.0', { deltas: false })
  assert.deepEqual(await versionsKept(), ['1.3.0', '1.4.0'])
  assert.deepEqual(await readdir(join(updates, 'bin/1.2.0')), [])
})
