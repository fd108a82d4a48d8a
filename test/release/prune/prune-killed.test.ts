// With a real process and a real SIGKILL before and after each removal: what is left is whole or absent, and the next run
// finishes it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { type Fixture, makeProject } from '../project-fixture.ts'
import { assertWhole, pruneOf, publisherOf, releaseEach, SMALL, versionsIn } from './prune-place.ts'

const LIBRARY = new URL('../../../release/index.ts', import.meta.url).href
const PROGRAM = `
  import { prune } from ${JSON.stringify(LIBRARY)}
  const [config, at] = process.argv.slice(1)
  let left = Number(at)
  const on = ({ step }) => {
    if (step === 'remove' && left-- === 0) process.kill(process.pid, 'SIGKILL')
  }
  await prune({ config, keep: 2 }, { on, env: {} })`

async function pruneInProcess({ config }: Fixture, killAt: number): Promise<'killed' | 'done'> {
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', PROGRAM, config, String(killAt)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  assert.ok(code === 0 || signal === 'SIGKILL', `exit ${code} ${signal}`)
  return signal === 'SIGKILL' ? 'killed' : 'done'
}

test('a prune that is killed at any step leaves every release whole or absent, and the next run finishes it', async (t) => {
  const project = await makeProject(t, { ...SMALL, attest: true })
  await releaseEach(project, ['1.0.0', '1.0.1', '1.0.2'])
  const publisher = await publisherOf(project)
  const all = join(project.dir, 'all')
  await cp(project.updates, all, { recursive: true })
  let killAt = 0
  for (; ; killAt++) {
    const outcome = await pruneInProcess(project, killAt)
    await assertWhole(project, publisher)
    const left = await versionsIn(publisher)
    assert.deepEqual(left.slice(-2), ['1.0.1', '1.0.2'])
    if (outcome === 'done') break

    await pruneOf(project, { keep: 2 })
    await assertWhole(project, publisher)
    const files = (await publisher.list('')).map(({ path }) => path)
    assert.deepEqual(
      files.filter((path) => path.includes('1.0.0')),
      [],
      `killed at event ${killAt}`,
    )
    await rm(project.updates, { recursive: true })
    await cp(all, project.updates, { recursive: true, preserveTimestamps: true })
  }
  assert.ok(killAt >= 8, `only ${killAt} steps were seen`)
})
