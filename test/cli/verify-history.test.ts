import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { setRollout } from '../../release/index.ts'
import { state } from '../release/audit/history-place.ts'
import { type Fixture, makeProject } from '../release/project-fixture.ts'
import { SMALL } from '../release/prune/prune-place.ts'
import { runMoult } from './moult-process.ts'

async function makeHistory(t: TestContext): Promise<Fixture & { readonly key: string }> {
  const project = await makeProject(t, SMALL)
  await project.release('1.0.0', { percent: 5 })
  await setRollout({ config: project.config, version: '1.0.0', stages: '0h:25%,1h:100%' }, { env: {} })
  await state(project, {
    rollout: { paused: true, flags: { 'new-parser': { shares: [{ value: true, percent: 50 }] } } },
  })
  const { keys } = await project.readJson<{ keys: object }>('trust/1.root.json')
  return { ...project, key: (Object.keys(keys)[0] ?? '').slice(0, 12) }
}

/** Columns are apart by two spaces or more. */
function cellsOf(stdout: string): string[][] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))
}

test('the history is a table, newest first, that says where it begins', async (t) => {
  const { dir, key } = await makeHistory(t)
  const { code, stdout, stderr } = await runMoult(['verify', '--history'], dir)
  assert.deepEqual([code, stderr], [0, ''])
  const [title, heading, ...rows] = cellsOf(stdout)
  assert.match(title?.join() ?? '', /^Verified the history of probe on stable in /)
  assert.deepEqual(heading, ['sequence', 'issued', 'what happened', 'release by', 'rollout by'])
  assert.deepEqual(
    rows.slice(0, 3).map(([sequence, , ...cells]) => [sequence, ...cells]),
    [
      ['3', 'paused, flags changed', key, key],
      ['2', 'widened 5 -> 25 %', key, key],
      ['1', 'released 1.0.0 at 5 %', key, key],
    ],
  )
  assert.deepEqual(rows.slice(3), [['The history of stable begins at sequence 1.']])

  const limited = await runMoult(['verify', '--history', '--limit', '1'], dir)
  assert.deepEqual(cellsOf(limited.stdout).slice(3), [['There is more before sequence 3.']])
  const refused = await runMoult(['verify', '--history', '--limit', '0'], dir)
  assert.deepEqual(
    [refused.code, refused.stderr.split('\n')[0]],
    [2, 'error: --limit: expected a number of at least 1, got "0"'],
  )
})

test('for programs it is one object, with whole key ids', async (t) => {
  const { dir, key } = await makeHistory(t)
  const { code, stdout } = await runMoult(['verify', '--history', '--json'], dir)
  const { kind, finding, entries, end } = JSON.parse(stdout) as {
    kind: string
    finding: string
    end: string
    entries: { sequence: number; events: unknown; signed: { rollout: string[] } }[]
  }
  assert.deepEqual([code, kind, finding, end, entries.length], [0, 'verified', 'sound', 'first', 3])
  assert.deepEqual(entries[1]?.events, [{ kind: 'widened', from: 5, to: 25 }])
  assert.match(entries[0]?.signed.rollout.join() ?? '', new RegExp(`^${key}[0-9a-f]{52}$`))
})

test('a broken chain is a finding of its own, after what is sound', async (t) => {
  const { dir, updates, readJson } = await makeHistory(t)
  const { rollout } = await readJson<{ rollout: { previous: string } }>('updates/version.json')
  const path = join(updates, `history/${rollout.previous}.json`)
  await writeFile(path, (await readFile(path, 'utf8')).replace('"percent": 25', '"percent": 20'))
  const changed = await runMoult(['verify', '--history'], dir)
  assert.equal(changed.code, 23)
  assert.deepEqual(cellsOf(changed.stdout)[1]?.slice(2, 3), ['not known, at 1.0.0'])
  assert.match(
    changed.stderr,
    /^error: broken before sequence 3 \(.*\nhint: .*\ncode: ERR_BYTES_HASH\nfinding: hostile\. .*\nto do: /s,
  )

  await rm(path)
  const { code, stdout } = await runMoult(['verify', '--history', '--json'], dir)
  const found = JSON.parse(stdout) as {
    kind: string
    finding: string
    error: { code: string }
    end: string
    entries: unknown[]
  }
  assert.deepEqual(
    [code, found.kind, found.finding, found.error.code],
    [20, 'refused', 'unreachable', 'ERR_NETWORK_STATUS'],
  )
  assert.deepEqual([found.end, found.entries.length], ['broken', 1])
})

test('case 20: nothing that a publisher or a host wrote reaches the terminal as it is', async (t) => {
  const project = await makeHistory(t)
  const escape = '\u001b[2J\u001b]0;title\u0007'
  await state(project, { release: { changelog: 'line\nline', container_image: 'x' }, rollout: { '[31mlater': 'red' } })
  const { code, stdout, stderr } = await runMoult(['verify', '--history'], project.dir)
  assert.equal(code, 0)
  // A member of another day has a name of printable characters, as every key has.
  assert.match(stdout, /\[31mlater changed/)
  const { rollout } = await project.readJson<{ rollout: { previous: string } }>('updates/version.json')
  await writeFile(join(project.updates, `history/${rollout.previous}.json`), escape)
  const hostile = await runMoult(['verify', '--history'], project.dir)
  assert.equal(hostile.code, 23)
  for (const text of [stdout, stderr, hostile.stdout, hostile.stderr])
    assert.deepEqual(text.replaceAll('\n', '').match(/\p{Cc}/u), null)
})
