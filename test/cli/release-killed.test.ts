import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'

import { readRoots, verifyPublished } from '../../release/index.ts'
import { makeProject } from '../release/project-fixture.ts'
import { randomFrom } from '../fuzz/random.ts'
import { runMoult, startMoult } from './moult-process.ts'

const ROUNDS = 6
const SEED = Number(process.env['MOULT_TEST_SEED'] ?? Date.now() % 1_000_000)

test(`a release killed at any moment leaves a whole manifest and can be run again (MOULT_TEST_SEED=${SEED})`, async (t) => {
  const random = randomFrom(SEED)
  const { dir, updates, writeAgents } = await makeProject(t)
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  const started = Date.now()
  assert.equal((await runMoult(['release', '1.0.0'], dir)).code, 0)
  const durationMs = Date.now() - started

  for (let round = 1; round <= ROUNDS; round++) {
    await writeAgents(`echo ${round}`)
    const { child, ended } = startMoult(['release', `1.0.${round}`], dir, { TMPDIR: dir })
    // Most of a short run is the start of Node; what is of interest is its second half.
    await sleep(durationMs * (0.4 + 0.6 * random()))
    child.kill('SIGKILL')
    await ended
    const { version } = await verifyPublished({ place: updates, root })
    assert.ok([`1.0.${round}`, `1.0.${round - 1}`].includes(version), `${version} is live in round ${round}`)

    const again = await runMoult(['release', `1.0.${round}`], dir)
    assert.equal(again.code, 0, `round ${round}: ${again.stderr}`)
    const now = await verifyPublished({ place: updates, root })
    assert.deepEqual([now.version, now.sequence], [`1.0.${round}`, round + 1])
  }
})
