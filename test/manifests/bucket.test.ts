import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'

import type { State } from '../../agent/home/state.ts'
import { withAgentId } from '../../agent/poll/agent-id.ts'
import { BUCKETS, draw, isBelowShare, rolloutBucket } from '../../manifests/index.ts'
import { Random } from '../fuzz/random.ts'

// Frozen: another value here means that every fleet is reshuffled.
const VECTORS: readonly (readonly [salt: string, id: string, bucket: number])[] = [
  ['', '', 5113],
  ['', 'agent-1', 391],
  ['salt', 'agent-1', 8470],
  ['salt', 'agent-2', 689],
  ['0000000000000000000000000000000000000000000000000000000000000000', 'i-0123456789abcdef0', 3861],
  ['0000000000000000000000000000000000000000000000000000000000000001', 'i-0123456789abcdef0', 425],
  ['1.4.2', 'höst-名前', 1851],
]

describe('rollout buckets', () => {
  test('are those of the frozen vectors', () => {
    for (const [salt, id, bucket] of VECTORS) assert.equal(rolloutBucket(salt, id), bucket, `${salt} ${id}`)
  })

  test('are those that sha256sum and a shell give', (t) => {
    if (spawnSync('sha256sum', ['--version']).status !== 0) return t.skip('sha256sum is not installed: NOT compared')
    const script =
      'while [ $# -gt 0 ]; do echo $(( 0x$(printf "%s\\n%s" "$1" "$2" | sha256sum | cut -c 1-8) % 10000 )); shift 2; done'
    const result = spawnSync('sh', ['-c', script, 'sh', ...VECTORS.flatMap(([salt, id]) => [salt, id])], {
      encoding: 'utf8',
    })
    assert.deepEqual(
      result.stdout.trim().split('\n').map(Number),
      VECTORS.map(([, , bucket]) => bucket),
      result.stderr,
    )
  })

  test('case 89: who is in at a percent is in at every larger one, and the sets grow to everyone', () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => `agent-${i}`)
    const buckets = ids.map((id) => rolloutBucket('release', id))
    let before = ids.map(() => false)
    for (let percent = 0; percent <= 100; percent += 1) {
      const now = buckets.map((bucket) => isBelowShare(bucket, percent))
      const size = now.filter(Boolean).length
      assert.ok(
        before.every((wasIn, index) => !wasIn || now[index]),
        `somebody left at ${percent}`,
      )
      assert.ok(Math.abs(size - percent * 100) < 200, `${percent} % are ${size}`)
      before = now
    }
    assert.ok(before.every(Boolean))
  })

  test('case 89: the sets at 0, 1, 50, 99 and 100 percent are exactly the buckets below', () => {
    const buckets = Array.from({ length: 10_000 }, (_, i) => rolloutBucket('release', `agent-${i}`))
    for (const [percent, below] of [
      [0, 0],
      [1, 100],
      [50, 5000],
      [99, 9900],
      [100, 10_000],
    ] as const)
      for (const bucket of buckets) assert.equal(isBelowShare(bucket, percent), bucket < below)
  })

  test('percent 0 is nobody, 100 is everybody, 1 is the first hundred buckets', () => {
    for (const bucket of [0, 1, BUCKETS - 1]) {
      assert.equal(isBelowShare(bucket, 0), false)
      assert.equal(isBelowShare(bucket, 100), true)
    }
    assert.equal(isBelowShare(99, 1), true)
    assert.equal(isBelowShare(100, 1), false)
    assert.equal(isBelowShare(9899, 99), true)
    assert.equal(isBelowShare(9900, 99), false)
  })

  test('case 89: of two salts have nothing to do with each other: other machines go first', () => {
    const first = (salt: string): Set<number> =>
      new Set(
        Array.from({ length: 10_000 }, (_, i) => i).filter((i) => isBelowShare(rolloutBucket(salt, `agent-${i}`), 5)),
      )
    const [one, two] = [first('1.4.1'), first('1.4.2')]
    const both = [...one].filter((i) => two.has(i)).length
    assert.ok(both < 50, `${both} of ${one.size} canaries are the same; 25 are expected`)
  })
})

// Fixed ids and salts, so that these are facts about the formula, and no test by chance.
describe('buckets, places and both together are even (chi-square)', () => {
  const AGENTS = 50_000
  const machineOf = (index: number) => ({
    machineId: '0123456789abcdef0123456789abcdef',
    hostName: `web-${String(index).padStart(5, '0')}`,
  })
  const random = new Random(4)
  const FLEETS: Readonly<Record<string, (index: number) => string>> = {
    'numbered ids': (index) => `host-${index}`,
    'ids with leading zeros': (index) => `host-${String(index).padStart(6, '0')}`,
    'random ids': () =>
      Array.from({ length: 4 }, () =>
        random
          .below(2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      ).join(''),
    'machines that were cloned from one image': (index) => withAgentId('probe', {} as State, machineOf(index)).id,
    'addresses of a network': (index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  }
  const SALTS = ['', 'a', 'release 2', '0'.repeat(64)]
  for (const [name, idOf] of Object.entries(FLEETS)) {
    test(`for ${name}, whatever the salt`, () => {
      const ids = Array.from({ length: AGENTS }, (_, index) => idOf(index))
      assert.equal(new Set(ids).size, AGENTS)
      for (const salt of SALTS) {
        const draws = ids.map((id) => draw(salt, id))
        const bins = {
          buckets: draws.map(({ bucket }) => Math.floor(bucket / 100)),
          places: draws.map(({ place }) => Math.floor(place * 100)),
          // In tenths of each: a place that went with the bucket would fill the diagonal.
          both: draws.map(({ bucket, place }) => Math.floor(bucket / 1000) * 10 + Math.floor(place * 10)),
        }
        for (const [of, binOf] of Object.entries(bins)) {
          const value = chiSquare(binOf, 100)
          // 99 degrees of freedom: 95 % of fair draws lie from 73 to 129, all but one in 100,000 from 49 to 170.
          assert.ok(value > 49 && value < 170, `${of}, salt ${JSON.stringify(salt)}: ${value}`)
        }
      }
    })
  }

  test('and would be seen not to be, if a place went with its bucket or ids with a pattern', () => {
    const ids = Array.from({ length: AGENTS }, (_, index) => index)
    assert.ok(
      chiSquare(
        ids.map((id) => (id % 100 === 7 ? 8 : id % 100)),
        100,
      ) > 170,
    )
    assert.ok(
      chiSquare(
        ids.map((id) => (id % 10) * 11),
        100,
      ) > 170,
    )
  })
})

function chiSquare(bins: readonly number[], count: number): number {
  const counts = Array.from({ length: count }, () => 0)
  for (const bin of bins) counts[bin] = (counts[bin] ?? 0) + 1
  const expected = bins.length / count
  return counts.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0)
}
