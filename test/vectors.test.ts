import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import { decide, type Manifest, type Release, type Verified } from '../manifests/index.ts'
import { readVector, runVector, type Vector } from './helpers/read-vector.ts'
import { vectorFiles } from './vector-cases/all-cases.ts'
import { beaconVectorFiles } from './vector-cases/beacon-vectors.ts'
import { type DecisionVector, factsFrom, plainDecision, rolloutVectorFiles } from './vector-cases/rollout-vectors.ts'

const FOLDER = new URL('vectors/', import.meta.url)
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort()
const texts = new Map(names.map((name) => [name, readFileSync(new URL(name, FOLDER), 'utf8')]))
const vectors = new Map(
  [...texts].map(([name, text]): [string, Vector] => [name.replace(/\.json$/, ''), readVector(text)]),
)

describe('test/vectors', () => {
  test('is what the script makes (else: npx tsx scripts/make-vectors.ts)', () => {
    const made = vectorFiles()
    assert.deepEqual(names, [...made.keys()].sort())
    for (const [name, text] of made) assert.ok(texts.get(name) === text, `${name} is another file`)
  })

  test('has at least 120 cases, with a valid twin for each that is refused', () => {
    assert.ok(vectors.size >= 120)
    for (const [name, { expect, twin }] of vectors) {
      assert.equal(twin === undefined, expect === 'ok', name)
      if (twin !== undefined) assert.equal(vectors.get(twin)?.expect, 'ok', `the twin of ${name}`)
    }
  })

  test('has every code that a manifest can be refused with', () => {
    const seen = new Set([...vectors.values()].map(({ expect }) => expect))
    const codes = [
      ...readFileSync(new URL('../SPEC.md', import.meta.url), 'utf8').matchAll(
        /^\| `(ERR_(?:MANIFEST|TRUST)_\w+)` \|/gm,
      ),
    ]
    assert.ok(codes.length > 10)
    for (const [, code] of codes) assert.ok(seen.has(code as Vector['expect']), `no vector expects ${code}`)
  })

  test('is read strictly: an unknown or a missing member is an error', () => {
    const [text = ''] = texts.values()
    const vector = JSON.parse(text) as Record<string, Record<string, unknown>>
    readVector(JSON.stringify(vector))
    const wrong: unknown[] = [
      { ...vector, later: 1 },
      { ...vector, expect: 'ERR_NO_SUCH_CODE' },
      { ...vector, expect: undefined },
      { ...vector, trust: { ...vector['trust'], later: 1 } },
      { ...vector, state: { ...vector['state'], later: 1 } },
      { ...vector, after: { ...vector['after'], later: 1 } },
    ]
    for (const value of wrong) assert.throws(() => readVector(JSON.stringify(value)))
  })
})

describe('the verdict on the vector', () => {
  for (const [name, vector] of vectors) {
    test(`${name}: ${vector.expect}`, () => {
      const { verdict, after } = runVector(vector)
      assert.equal(verdict, vector.expect, vector.comment)
      assert.deepEqual(after, vector.after)
    })
  }
})

// The decisions in it were made by the code of the day when they were written: other bytes mean that agents of today do
// something else with a manifest of then.
test('test/vectors/rollouts holds what the script makes', () => {
  const folder = new URL('rollouts/', FOLDER)
  const made = rolloutVectorFiles()
  assert.deepEqual(readdirSync(folder).sort(), [...made.keys()].sort())
  for (const [name, text] of made)
    assert.ok(readFileSync(new URL(name, folder), 'utf8') === text, `${name} is another file`)
})

test('test/vectors/rollouts has every kind of decision, and each is decided as it stands there', () => {
  const { releases, cases } = JSON.parse(readFileSync(new URL('rollouts/decisions.json', FOLDER), 'utf8')) as {
    releases: Record<string, Verified<Release>>
    cases: DecisionVector[]
  }
  const outcomes = new Set<string>()
  for (const { release, rollout, facts, now, decision } of cases) {
    const manifest = { release, rollout, releaseDigest: '', rolloutDigest: '' } as Manifest as Verified<Manifest>
    const decided = decide(manifest, factsFrom(facts), now, new Map(Object.entries(releases)))
    assert.ok(decided.kind !== 'release-needed')
    assert.deepEqual(plainDecision(decided), decision)
    outcomes.add('reason' in decided ? `${decided.kind} ${decided.reason}` : decided.kind)
  }
  assert.equal(outcomes.size, 1 + 6 + 5 + 5)
})

test('test/vectors/beacons holds what the script makes: agents in the field say what it says, and readers know no other', () => {
  const folder = new URL('beacons/', FOLDER)
  const made = beaconVectorFiles()
  assert.deepEqual(readdirSync(folder), [...made.keys()])
  for (const [name, text] of made)
    assert.ok(readFileSync(new URL(name, folder), 'utf8') === text, `${name} is another file`)
})
