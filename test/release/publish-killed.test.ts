// The publish invariant, with a real process and a real SIGKILL at every step: the live manifest is whole and names only
// files that exist, so does the history behind it, and running the release again finishes it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { readRoots, verifyHistory, verifyPublished } from '../../release/index.ts'
import { type Fixture, makeProject } from './project-fixture.ts'

const LIBRARY = new URL('../../release/index.ts', import.meta.url).href
/** Kills itself at the n-th event after the lock is taken: before or after each write. */
const PROGRAM = `
  import { existsSync } from 'node:fs'
  import { release } from ${JSON.stringify(LIBRARY)}
  const [config, version, at] = process.argv.slice(1)
  let left = Number(at)
  const on = ({ step }) => {
    if ((step === 'publish' || step === 'read back') && left-- === 0) process.kill(process.pid, 'SIGKILL')
  }
  await release({ config, version }, { on, env: {} })`

async function releaseInProcess({ config, dir }: Fixture, version: string, killAt: number): Promise<'killed' | 'done'> {
  const args = [
    '--import',
    import.meta.resolve('tsx'),
    '--input-type=module',
    '-e',
    PROGRAM,
    config,
    version,
    String(killAt),
  ]
  const child = spawn(process.execPath, args, {
    // What a killed run leaves in the temporary folder goes with the project.
    env: { ...process.env, TMPDIR: dir },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  assert.ok(code === 0 || signal === 'SIGKILL', `exit ${code} ${signal}`)
  return signal === 'SIGKILL' ? 'killed' : 'done'
}

test('a publish that is killed at any step leaves a whole manifest, and the next run finishes it', async (t) => {
  const project = await makeProject(t, { platforms: ['linux-amd64'] })
  const [root] = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  const assertHistory = async (newest: string): Promise<void> => {
    const { entries, end } = await verifyHistory({ place: project.updates, root })
    assert.deepEqual([entries[0]?.version, end.kind], [newest, 'first'])
    // Each round released the next version; none was lost on the way.
    const patches = Array.from({ length: Number(newest.split('.')[2]) }, (_, index) => index + 1)
    assert.deepEqual(
      entries.map((entry) => entry.version),
      patches.toReversed().map((patch) => `1.0.${patch}`),
    )
  }
  let live: string | undefined
  let version = 1
  for (let killAt = 0; ; killAt++, version++) {
    // The build changes with each run, as that of a compiler that is not reproducible: see release/settle-release.ts.
    await project.writeAgents(`echo ${version} ${'first build '.repeat(50)}`)
    const outcome = await releaseInProcess(project, `1.0.${version}`, killAt)
    if (existsSync(join(project.updates, 'version.json'))) {
      live = (await verifyPublished({ place: project.updates, root })).version
      assert.ok([`1.0.${version}`, `1.0.${version - 1}`].includes(live), live)
      await assertHistory(live)
    } else {
      assert.equal(live, undefined, 'the live manifest is gone')
    }
    if (outcome === 'done') break
    if (live !== `1.0.${version}`) await project.writeAgents(`echo ${version} ${'second build '.repeat(50)}`)
    const { kind } = await project.release(`1.0.${version}`)
    assert.equal(kind, live === `1.0.${version}` ? 'unchanged' : 'published', `killed at event ${killAt}`)
    live = (await verifyPublished({ place: project.updates, root })).version
    assert.equal(live, `1.0.${version}`)
    await assertHistory(live)
    assert.match(await project.read('updates/feed.atom'), new RegExp(`<title>probe 1\\.0\\.${version}</title>`))
    const leftovers = (await readdir(project.updates, { recursive: true })).filter(
      (name) => /(?:^|\/)\./.test(name) && name !== '.attempted.json',
    )
    assert.deepEqual(leftovers, [])
  }
  assert.ok(version > 8, `only ${version} steps were seen`)
})
