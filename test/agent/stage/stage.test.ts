import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { readReceipt } from '../../../agent/home/receipt.ts'
import { stageVersion } from '../../../agent/stage/stage.ts'
import { type Binary, type Release, sha256 } from '../../../manifests/index.ts'
import {
  artifactOf,
  assertTidy,
  BOUNDED,
  failureOf,
  makeDir,
  makeMachine,
  manifestOf,
  mountTmpfs,
  program,
  publish,
  startHost,
  whatRuns,
} from '../field.ts'

const NEXT = { version: '1.0.1' }

describe('staging', { ...BOUNDED, concurrency: true }, () => {
  test('installs a tree with its program, and refuses one without it', async (t) => {
    const host = await startHost(t)
    const tree = makeDir(t)
    fs.mkdirSync(join(tree, 'bin'))
    fs.writeFileSync(join(tree, 'bin/agent'), program('1.0.1'), { mode: 0o644 })
    fs.writeFileSync(join(tree, 'data'), 'data')
    const artifact = execFileSync('tar', ['-c', '--format=ustar', '-C', tree, 'bin', 'data'])
    const { home, poll } = await makeMachine(t, host)
    const before = whatRuns(home)
    for (const entry of ['bin/other', 'bin', undefined]) {
      const binary = { unpack: 'tar', ...(entry === undefined ? {} : { entry }) }
      publish(host, { ...NEXT, artifact, binary, sequence: 10 })
      host.serve('version.json', manifestOf({ ...NEXT, artifact, binary, sequence: entry?.length ?? 1 }))
      fs.rmSync(home.state, { force: true })
      fs.rmSync(home.stateBackup, { force: true })
      assert.equal((await failureOf(() => poll())).code, 'ERR_STAGE_ARCHIVE', entry)
      assert.deepEqual(whatRuns(home), before)
      assertTidy(home)
      assert.deepEqual(fs.readdirSync(home.staging), [])
    }
    const binary = { unpack: 'tar', entry: 'bin/agent' }
    // The same bytes again: they are in quarantine for what their entry was.
    fs.rmSync(home.state)
    fs.rmSync(home.stateBackup, { force: true })
    host.serve(
      'version.json',
      manifestOf({ ...NEXT, artifact, binary, sequence: 20, manifest: { release: { rollback_floor: '1.0.1' } } }),
    )
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(whatRuns(home).answers, '1.0.1')
    assert.equal(fs.readFileSync(join(home.versions, '1.0.1/data'), 'utf8'), 'data')
    assert.deepEqual(readReceipt(home, '1.0.1'), {
      version: '1.0.1',
      sha256: sha256(artifact),
      size: artifact.length,
      sums: sha256(fs.readFileSync(join(home.versions, '1.0.1/.sha256sums'))),
      entry: 'bin/agent',
      rollbackFloor: '1.0.1',
      rollout: { channel: 'stable', sequence: 20, root: 1 },
    })
  })

  test('stops between two entries of a tree when it is told to, and keeps the download', async (t) => {
    const host = await startHost(t)
    const tree = makeDir(t)
    for (let index = 0; index < 3000; index += 1) fs.writeFileSync(join(tree, `file-${index}`), 'x')
    fs.writeFileSync(join(tree, 'agent'), program('1.0.1'))
    const list = fs.readdirSync(tree).toSorted()
    const artifact = execFileSync('tar', ['-c', '--format=ustar', '-C', tree, ...list], { maxBuffer: 1e8 })
    publish(host, { ...NEXT, artifact, binary: { unpack: 'tar', entry: 'agent' } })
    const { home, poll } = await makeMachine(t, host)
    const before = whatRuns(home)
    const stop = new AbortController()
    const staged = join(home.staging, '1.0.1.staged')
    let unpacked = 0
    const watch = setInterval(() => {
      unpacked = fs.existsSync(staged) ? fs.readdirSync(staged).length : 0
      if (unpacked > 10) stop.abort()
    }, 1)
    t.after(() => clearInterval(watch))
    await assert.rejects(poll({ deps: { signal: stop.signal } }), { name: 'AbortError' })
    clearInterval(watch)
    assert.ok(unpacked < list.length, `${unpacked}`)
    assert.deepEqual(whatRuns(home), before)
    assert.deepEqual(fs.readdirSync(home.staging), [`${sha256(artifact)}.partial`])
    host.drain()
    assert.equal((await poll()).kind, 'swapped')
    assert.deepEqual(host.requests, ['version.json'])
    assert.deepEqual(fs.readdirSync(home.staging), [])
  })

  test('gives no name to a version when it was stopped before', async (t) => {
    const { home } = await makeMachine(t, await startHost(t))
    const good = artifactOf(NEXT)
    const binary = { url: 'x', sha256: sha256(good), size: good.length } as Binary
    const artifact = join(home.staging, 'whole.partial')
    fs.writeFileSync(artifact, good)
    const release = { name: 'heartbeat-agent', version: '1.0.1' } as Release
    // Aborted at the last moment: everything is built, and only the name is missing.
    const isBuilt = (): boolean => fs.existsSync(join(home.staging, '1.0.1.staged/.receipt'))
    const signal = Object.create(AbortSignal.prototype, {
      aborted: { get: isBuilt },
      throwIfAborted: { value: () => isBuilt() && AbortSignal.abort().throwIfAborted() },
    }) as AbortSignal
    const options = { preflight: [], signal }
    await assert.rejects(stageVersion(home, release, binary, artifact, options), { name: 'AbortError' })
    assert.deepEqual(fs.readdirSync(home.versions), ['1.0.0'])
  })

  test('says that the disk is read-only, though nothing can be removed there either', async (t) => {
    const mounted = mountTmpfs(t, '40m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const { home } = await makeMachine(t, await startHost(t), {}, join(mounted, 'home'))
    const artifact = join(home.staging, 'whole.partial')
    const good = artifactOf(NEXT)
    fs.writeFileSync(artifact, good)
    assert.equal(spawnSync('mount', ['-o', 'remount,ro', mounted]).status, 0)
    const binary = { url: 'x', sha256: sha256(good), size: good.length } as Binary
    const release = { name: 'heartbeat-agent', version: '1.0.1' } as Release
    const error = await failureOf(() => stageVersion(home, release, binary, artifact, { preflight: [] }))
    assert.equal(error.code, 'ERR_STAGE_READ_ONLY', error.stack)
  })

  test('hashes the bytes that become the program, whatever was checked before', async (t) => {
    const host = await startHost(t)
    const { home } = await makeMachine(t, host)
    const good = artifactOf(NEXT)
    const binary = { url: 'x', sha256: sha256(good), size: good.length } as Binary
    const release = { name: 'heartbeat-agent', version: '1.0.1' } as Release
    const artifact = join(home.staging, 'swapped.partial')
    const bad = Buffer.from(good)
    bad[bad.length - 2] = 0x41
    fs.writeFileSync(artifact, bad)
    const error = await failureOf(() => stageVersion(home, release, binary, artifact, { preflight: [] }))
    assert.equal(error.code, 'ERR_BYTES_HASH')
    assert.deepEqual(fs.readdirSync(home.staging), [])
    fs.writeFileSync(artifact, good)
    const running = await failureOf(() =>
      stageVersion(home, release, binary, artifact, { preflight: [], running: '1.0.1' }),
    )
    assert.equal(running.code, 'ERR_STAGE_IO')
    assert.deepEqual(fs.readdirSync(home.versions), ['1.0.0'])
  })

  test('replaces what lies under the name of the version without being in use', async (t) => {
    const host = await startHost(t)
    publish(host, NEXT)
    const { home, poll } = await makeMachine(t, host)
    fs.mkdirSync(join(home.versions, '1.0.1/rubbish'), { recursive: true })
    fs.mkdirSync(join(home.staging, '1.0.1.staged/rest'), { recursive: true })
    fs.mkdirSync(join(home.staging, '1.0.1.old/rest'), { recursive: true })
    await poll()
    const files = fs.readdirSync(join(home.versions, '1.0.1')).toSorted()
    assert.deepEqual(files, ['.receipt', '.sha256sums', 'heartbeat-agent'])
    assertTidy(home)
  })
})
