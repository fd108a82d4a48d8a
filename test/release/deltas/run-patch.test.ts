import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import type { PatchJob } from '../../../release/deltas/delta-worker.ts'
import { runPatch } from '../../../release/deltas/run-patch.ts'
import { temporaryFolder } from '../project-fixture.ts'
import { agentText } from './delta-project.ts'

const NEVER = new AbortController().signal
const LONG_MS = 600_000

async function jobIn(t: TestContext, old: string, fresh: string): Promise<PatchJob> {
  const dir = await temporaryFolder(t)
  const job = { old: join(dir, 'old'), fresh: join(dir, 'fresh'), patch: join(dir, 'patch') }
  await writeFile(job.old, old)
  await writeFile(job.fresh, fresh)
  return job
}

test('a thread makes a patch and tells its size and hash', async (t) => {
  const job = await jobIn(t, agentText('one'), agentText('two'))
  const made = await runPatch(job, LONG_MS, NEVER)
  const bytes = await readFile(job.patch)
  assert.deepEqual(made, { kind: 'made', size: bytes.length, sha256: sha256(bytes) })
})

test('what cannot be made is an outcome with its reason', async (t) => {
  const job = await jobIn(t, 'one', 'two')
  const made = await runPatch({ ...job, old: `${job.old}.gone` }, LONG_MS, NEVER)
  assert.ok(made.kind === 'failed')
  assert.match(made.reason, /ENOENT/)
})

test('a thread that does not come to an end is ended, by the limit or by the signal', async (t) => {
  const job = await jobIn(t, agentText('one'), agentText('two'))
  const late = await runPatch(job, 1, NEVER)
  assert.deepEqual(late, { kind: 'failed', reason: 'took longer than 1ms' })
  const stop = new AbortController()
  const running = runPatch(job, LONG_MS, stop.signal)
  stop.abort()
  await assert.rejects(running, { name: 'AbortError' })
  await assert.rejects(runPatch(job, LONG_MS, stop.signal), { name: 'AbortError' })
})
