import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'

import { readRoots, verifyPublished } from '../../release/index.ts'
import { makeProject } from './project-fixture.ts'

const LIBRARY = new URL('../../release/index.ts', import.meta.url).href
const PROGRAM = `
  import { release } from ${JSON.stringify(LIBRARY)}
  const [config, version] = process.argv.slice(1)
  try {
    const { rollout } = await release({ config, version }, { env: {} })
    console.log(JSON.stringify({ sequence: rollout.sequence }))
  } catch ({ code }) {
    console.log(JSON.stringify({ code }))
  }`

test('of releases at the same time each wins with a sequence of its own, or fails with a clear error', async (t) => {
  const { dir, config, updates, release } = await makeProject(t)
  await release('1.0.0')
  const runs = ['1.0.1', '1.0.2', '1.0.3'].map(async (version) => {
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', PROGRAM, config, version]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await once(child, 'close')
    return JSON.parse(output) as { sequence?: number; code?: string }
  })
  const outcomes = await Promise.all(runs)
  const sequences = outcomes.flatMap(({ sequence }) => (sequence === undefined ? [] : [sequence]))
  assert.deepEqual(
    sequences.toSorted((a, b) => a - b),
    sequences.map((_, index) => index + 2),
  )
  assert.ok(sequences.length > 0)
  for (const { code } of outcomes)
    assert.ok([undefined, 'ERR_PUBLISH_CONFLICT', 'ERR_POLICY_REFUSED'].includes(code), code)
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  assert.equal((await verifyPublished({ place: updates, root })).sequence, sequences.length + 1)
})
