import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'

import { BUCKETS, isBelowShare, rolloutBucket } from '../../manifests/index.ts'

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

  test('who is in at a percent is in at every larger one, and the sets grow to everyone', () => {
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

  test('are even for numbered ids (chi-square) whatever the salt', () => {
    const BINS = 100
    const agents = 20_000
    for (const salt of ['', 'a', 'release 2']) {
      const counts = Array.from({ length: BINS }, () => 0)
      for (let i = 0; i < agents; i += 1) {
        const bin = Math.floor((rolloutBucket(salt, `host-${String(i).padStart(6, '0')}`) * BINS) / BUCKETS)
        counts[bin] = (counts[bin] ?? 0) + 1
      }
      const expected = agents / BINS
      const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
      // 99 degrees of freedom: 95 % of fair draws lie from 73 to 129, all but one in 100,000 below 170.
      assert.ok(chiSquare > 55 && chiSquare < 170, `salt ${JSON.stringify(salt)}: ${chiSquare}`)
    }
  })

  test('of two salts have nothing to do with each other: other machines go first', () => {
    const first = (salt: string): Set<number> =>
      new Set(
        Array.from({ length: 10_000 }, (_, i) => i).filter((i) => isBelowShare(rolloutBucket(salt, `agent-${i}`), 5)),
      )
    const [one, two] = [first('1.4.1'), first('1.4.2')]
    const both = [...one].filter((i) => two.has(i)).length
    assert.ok(both < 50, `${both} of ${one.size} canaries are the same; 25 are expected`)
  })
})
