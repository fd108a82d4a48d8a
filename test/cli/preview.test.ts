import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'

import { parseDate } from '../../manifests/index.ts'
import { makeProject, snapshot } from '../release/project-fixture.ts'
import { runMoult } from './moult-process.ts'

interface Row {
  readonly id: string
  readonly bucket: number
  readonly running?: string
  readonly decision: { readonly kind: string; readonly reason?: string; readonly version?: string }
  readonly moves: readonly { readonly at: string; readonly version: string; readonly reason: string }[]
  readonly rest: { readonly kind: string; readonly reason?: string }
}

interface Shown {
  readonly version: string
  readonly isLive: boolean
  readonly assumed: { readonly running?: string }
  readonly agents: readonly Row[]
  readonly moves: readonly { readonly reason: string; readonly version: string; readonly agents: number }[]
  readonly rest: readonly { readonly why: string; readonly version?: string; readonly agents: number }[]
  readonly curve: readonly { readonly at: string; readonly agents: number; readonly percent: number }[]
  readonly warnings: readonly string[]
  readonly error?: { readonly code: string; readonly message: string }
}

const AGENTS = 200
const FLEET = Array.from({ length: AGENTS }, (_, index) => `web-${index}${index < 3 ? ' label.ring=canary' : ''}`)
const LATER_MS = 3_600_000

async function makeScene(t: TestContext, fleet: readonly string[] = FLEET) {
  const project = await makeProject(t)
  await project.release('1.0.0')
  await project.writeAgents('echo 2')
  await project.release('1.1.0', { stages: '0h:10%,24h:50%,48h:100%' })
  await writeFile(join(project.dir, 'fleet.txt'), fleet.join('\n'))
  const { rollout } = await project.readJson<{ rollout: { issued: string } }>('updates/version.json')
  // A moment of its own, so that the answers depend on no clock.
  const at = (afterMs: number): string => new Date((parseDate(rollout.issued) as number) + afterMs).toISOString()
  const preview = async (...options: string[]): Promise<{ code: number | null; shown: Shown }> => {
    const args = ['preview', '--ids', 'fleet.txt', '--at', at(LATER_MS), '--json', ...options]
    const { code, stdout } = await runMoult(args, project.dir)
    return { code, shown: JSON.parse(stdout) as Shown }
  }
  return { ...project, at, preview }
}

describe('moult preview', () => {
  test('tells who moves now and who later, without a key and without a change to anything', async (t) => {
    const { dir, preview, at } = await makeScene(t)
    await rm(join(dir, 'keys'), { recursive: true, force: true })
    const before = await snapshot(dir)
    const { code, shown } = await preview()
    assert.equal(code, 0, JSON.stringify(shown))
    assert.deepEqual([shown.version, shown.isLive, shown.assumed.running], ['1.1.0', true, '1.0.0'])
    for (const { bucket, decision, moves, rest } of shown.agents) {
      const stageMs = bucket < 1000 ? LATER_MS : bucket < 5000 ? 24 * LATER_MS : 48 * LATER_MS
      assert.deepEqual([moves.length, moves[0]?.version, rest.kind], [1, '1.1.0', 'up-to-date'])
      assert.equal(parseDate(moves[0]?.at ?? ''), parseDate(at(stageMs)))
      assert.equal(decision.kind, bucket < 1000 ? 'install' : 'wait')
    }
    assert.deepEqual(
      shown.moves.map(({ agents }) => agents),
      [AGENTS],
    )
    assert.deepEqual(shown.rest, [{ why: 'up-to-date', version: '1.1.0', agents: AGENTS }])
    const counts = shown.curve.map(({ agents }) => agents)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    )
    assert.equal(counts[0], shown.agents.filter(({ bucket }) => bucket < 1000).length)
    assert.equal(shown.curve.at(-1)?.percent, 100)
    assert.deepEqual(await snapshot(dir), before)
  })

  test('gives a new machine the fallback first, and nothing else to who is there', async (t) => {
    const { preview } = await makeScene(t, [
      '{"id":"web-1","version":null}',
      'web-1 version=1.1.0',
      'web-1 version=2.0.0',
    ])
    const { shown } = await preview('--percent', '0')
    const [fresh, there, beyond] = shown.agents
    assert.deepEqual(
      fresh?.moves.map(({ version, reason }) => [version, reason]),
      [['1.0.0', 'held-back']],
    )
    assert.deepEqual(fresh?.rest, { kind: 'wait', reason: 'stage' })
    assert.deepEqual([there?.moves, there?.rest.kind], [[], 'up-to-date'])
    assert.deepEqual([beyond?.moves, beyond?.rest], [[], { kind: 'refuse', reason: 'downgrade' }])
    assert.match(shown.warnings.join('\n'), /2 ids are in the list more than once/)
  })

  test('shows a change before it is made', async (t) => {
    const { dir, preview } = await makeScene(t)
    const live = await readFile(join(dir, 'updates/version.json'))
    const { shown } = await preview(
      '--percent',
      '0',
      '--rule',
      'label:ring=canary -> 100%',
      '--rule',
      'id:web-9 -> pin 1.0.0',
    )
    assert.equal(shown.isLive, false)
    for (const { id, moves, rest } of shown.agents) {
      const isCanary = ['web-0', 'web-1', 'web-2'].includes(id)
      assert.equal(moves.length, isCanary ? 1 : 0, id)
      assert.equal(rest.kind, isCanary || id === 'web-9' ? 'up-to-date' : 'wait', id)
    }
    const { shown: other } = await preview('1.0.0', '--running', '0.9.0')
    assert.deepEqual([other.version, other.isLive], ['1.0.0', false])
    assert.ok((await readFile(join(dir, 'updates/version.json'))).equals(live))
  })

  test('warns of pins that do not count, and of moves after the end of the rollout', async (t) => {
    const { preview } = await makeScene(t)
    const { shown } = await preview('--percent', '100', '--rule', 'version:1.1.0 -> pin 1.0.0')
    assert.match(
      shown.warnings.join('\n'),
      /^200 agents match a pin that does not count, such as "web-0": from 1\.0\.0 /m,
    )
    assert.ok(shown.agents.every(({ moves }) => moves.length === 1))
    const { shown: kept } = await preview(
      '--percent',
      '100',
      '--rule',
      'version:1.1.0 -> pin 1.0.0',
      '--rule',
      'version:1.0.0 -> hold',
    )
    assert.deepEqual(kept.warnings, [])
    const { shown: late } = await preview('--stages', '0h:0%,100h:100%', '--expires', '3d')
    assert.match(late.warnings.join('\n'), /expires on .*: 200 agents move only if it is refreshed before/)
  })

  test('prints a table, counts and the curve for people, cut short for a large fleet', async (t) => {
    const { dir, at } = await makeScene(t, [...FLEET, '{"id":"\\u202eweb\\u200b"}'])
    const args = ['preview', '--ids', 'fleet.txt', '--at', at(LATER_MS), '--rows', '2']
    const { code, stdout } = await runMoult(args, dir)
    assert.equal(code, 0)
    assert.match(stdout, /^probe 1\.1\.0 on stable; 201 agents from /)
    assert.match(stdout, /\n {2}id +bucket +runs +moves at +to +why\n {2}web-0 +\d+ +1\.0\.0 +\S+Z +1\.1\.0 +newer\n/)
    assert.match(stdout, /\n {2}and 199 more: --rows, or --json for all\n/)
    assert.match(stdout, /\n {2}201 to 1\.1\.0: newer, from \S+Z to \S+Z\n/)
    assert.match(stdout, /\n {2}\S+Z +#{40} 100\.0 % {2}201\n$/)
    assert.ok(stdout.split('\n').length < 40)
    const all = await runMoult([...args.slice(0, -1), '300'], dir)
    assert.ok(!/[\u202e\u200b]/.test(all.stdout) && all.stdout.includes('?web?'))
  })

  test('refuses what it cannot read, with the line, the option or the version', async (t) => {
    const { dir, preview } = await makeScene(t, ['web-1', 'web-2 version=1.4'])
    const expect = async (message: RegExp, ...options: string[]): Promise<void> => {
      const { code, shown } = await preview(...options)
      assert.deepEqual([code, shown.error?.code], [2, 'ERR_USAGE_INVALID'])
      assert.match(shown.error?.message ?? '', message)
    }
    await expect(/^fleet\.txt:2: version: expected/)
    await writeFile(join(dir, 'fleet.txt'), 'web-1\n')
    await expect(/^--at: expected a date/, '--at', 'tomorrow')
    await expect(/^--running: expected a version/, '--running', '1.4')
    await expect(/^--ids: cannot be read/, '--ids', 'absent.txt')
    await expect(/no such release .*: 3\.0\.0/, '3.0.0')
    await expect(/nothing is live on beta/, '--channel', 'beta')
  })

  test('passes over a fallback that cannot be had, as agents do, and fails on such a pin', async (t) => {
    const { dir, preview } = await makeScene(t, ['web-1 version=none'])
    const pin = ['--rule', 'id:web-1 -> pin 1.0.0']
    assert.equal((await preview(...pin)).code, 0)
    const { shown: before } = await preview('--percent', '0')
    assert.deepEqual([before.rest[0]?.version, before.warnings], ['1.0.0', []])
    await rm(join(dir, 'updates/releases/1.0.0.json'))
    const { shown } = await preview('--percent', '0')
    assert.equal(shown.rest[0]?.version, undefined)
    assert.match(shown.warnings.join('\n'), /^agents pass over the fallback 1\.0\.0: not found/)
    assert.equal((await preview(...pin)).shown.error?.code, 'ERR_USAGE_INVALID')
  })
})
