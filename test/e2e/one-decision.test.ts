// The agent, `moult agent explain` and `moult preview` decide by one function. Here each of them comes to its answer by its
// own way: the agent polls a real host, explain polls it again, preview reads a line of a list.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { explainUpdate } from '../../agent/report/explain.ts'
import { homeAt, type Home, prepareHome } from '../../agent/home/home.ts'
import { withLock } from '../../agent/home/lock.ts'
import { loadState, saveState } from '../../agent/home/state.ts'
import type { Settings } from '../../agent/settings/settings.ts'
import { update, type UpdateDeps } from '../../agent/update.ts'
import { type AgentFacts, type Decision, formatDate } from '../../manifests/index.ts'
import { factsOf } from '../../release/preview/preview.ts'
import { previewAgent } from '../../release/preview/preview-agent.ts'
import { readFleet } from '../../release/preview/read-fleet.ts'
import { layOutHome, makeDir, NOW, PLATFORM, settingsAt, startHost } from '../agent/field.ts'
import { makeManifest, makeRoot, type Overrides } from '../fixtures/signed-manifest.ts'
import { testSeed } from '../fuzz/random.ts'
import { RandomRollouts, type Shelf, VERSIONS } from '../fuzz/random-rollouts.ts'
import { publishedRelease } from '../manifests/decide-cases.ts'
import { plainDecision } from '../vector-cases/rollout-vectors.ts'

const CASES = 300
const DAY_MS = 86_400_000
/** Days from now, as no agent believes a time before its own build. */
const AROUND_MS = NOW + 10 * DAY_MS

/** Releases for the platform of this machine, and for one that it is not. */
function membersOf(version: string): Overrides {
  const hash = Buffer.from(`release ${version}`).toString('hex').padEnd(64, '0')
  const binary = { url: `${version}.bin`, sha256: hash, size: 7 }
  return { version, binaries: version === '1.1.0' ? { 'plan9-mips': binary } : { [PLATFORM]: binary } }
}

/** Homes with each version, and one with none. */
async function layOutHomes(t: TestContext): Promise<Map<string | undefined, Home>> {
  const homes = new Map<string | undefined, Home>()
  for (const version of [undefined, ...VERSIONS]) {
    const home = homeAt(join(makeDir(t), 'home'))
    if (version !== undefined) await layOutHome(home, version)
    else {
      prepareHome(home)
      writeFileSync(home.root, JSON.stringify(makeRoot()))
    }
    homes.set(version, home)
  }
  return homes
}

/** What the owner of the machine has written down, and what it has lived through, as these facts have it. */
function settle(home: Home, url: string, facts: AgentFacts): Settings {
  const { id, labels = {}, policy = {}, timezone = 'UTC', quarantine, rollbackFloor } = facts
  const { percentCap, windows, approved, pin } = policy
  const settings = settingsAt(
    home,
    { url },
    {
      id,
      labels,
      ...(percentCap === undefined ? {} : { percent: percentCap }),
      ...(windows === undefined ? {} : { windows: [...windows] }),
      ...(pin === undefined ? {} : { pin }),
      approval: approved !== undefined,
    },
  )
  const { rollbackFloor: _, ...state } = loadState(home, settings.root, assert.fail)
  const noted = (hashes: ReadonlySet<string> = new Set()) =>
    [...hashes].map((sha256) => ({ sha256, version: '1.0.0', reason: 'crash', at: formatDate(AROUND_MS - 3 * DAY_MS) }))
  const floor = rollbackFloor === undefined ? {} : { rollbackFloor }
  saveState(home, { ...state, ...floor, quarantine: noted(quarantine), approved: noted(approved) })
  return { ...settings, timezone }
}

const plain = (decision: Decision): object => plainDecision(decision)

test('the agent, explain and preview give one answer to each of several hundred random questions', async (t) => {
  const seed = testSeed()
  t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
  const published = VERSIONS.map((version) => publishedRelease(version, membersOf(version)))
  const shelf: Shelf = {
    refs: published.map(({ ref }) => ref),
    others: new Map(published.map(({ ref, release }) => [ref.release, release])),
    hashes: published.flatMap(({ release }) => Object.values(release.binaries).map(({ sha256 }) => sha256)),
  }
  const host = await startHost(t)
  for (const { ref, bytes } of published) host.serve(ref.url, bytes)
  const homes = await layOutHomes(t)
  const outcomes = new Set<string>()
  for (let index = 0; index < CASES; index += 1) {
    const random = new RandomRollouts(seed, index, shelf, AROUND_MS)
    const { release, rollout } = random.offer()
    const { bytes } = makeManifest({
      release: { ...membersOf(textOf(release['version'])), ...release },
      rollout: {
        ...rollout,
        sequence: index + 1,
        issued: formatDate(NOW - DAY_MS),
        expires: formatDate(AROUND_MS + 30 * DAY_MS),
      },
    })
    host.serve('version.json', bytes)
    const given = { ...random.facts(), platform: PLATFORM }
    // A list of the fleet knows nothing of what a machine has lived through, nor of its owner.
    const { id, running, labels } = given
    const isListed = index % 2 === 0
    const facts: AgentFacts = isListed ? { id, platform: PLATFORM, running, labels, quarantine: new Set() } : given
    const home = homes.get(running)
    assert.ok(home !== undefined)
    const settings = settle(home, host.url, facts)
    const now = random.now()
    const deps: UpdateDeps = { clock: () => now, emit: () => undefined }
    const where = `seed ${seed}, case ${index}`

    const polled = await withLock(home, () => update(settings, { apply: false }, deps))
    assert.ok(polled.kind === 'checked', where)
    const explained = await explainUpdate(settings, deps)
    const line = { id, platform: PLATFORM, version: running ?? null, ...(labels === undefined ? {} : { labels }) }
    const [listed] = readFleet(JSON.stringify(line), 'fleet.txt')
    assert.ok(listed !== undefined)
    const previewFacts = isListed ? factsOf(listed, { platform: PLATFORM }) : facts
    const previewed = previewAgent(polled.manifest, previewFacts, now, shelf.others)
    assert.ok(previewed.kind === 'previewed', where)

    assert.deepEqual(plain(explained.decision), plain(polled.decision), where)
    assert.deepEqual(plain(previewed.decision), plain(polled.decision), where)
    const [move] = previewed.moves
    const foreseen = move && { at: formatDate(move.atMs), version: move.version, reason: move.reason }
    assert.deepEqual(foreseen, explained.move, where)
    outcomes.add(
      'reason' in polled.decision ? `${polled.decision.kind} ${polled.decision.reason}` : polled.decision.kind,
    )
  }
  t.diagnostic([...outcomes].toSorted().join(', '))
  assert.ok(outcomes.size >= 10, 'the cases come to many outcomes')
})

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : assert.fail('no version')
}
