import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { flagsFor, flagsShape, flagValues, rolloutBucket } from '../../manifests/index.ts'
import { ShapeMismatch } from '../../manifests/shape.ts'
import { factsOf, offer } from './decide-cases.ts'

const share = (value: string | number | boolean, percent: number) => ({ value, percent })
const ids = Array.from({ length: 10_000 }, (_, index) => `host-${index}`)

describe('a flag', () => {
  test('has the value of the share that the bucket falls into, and none beyond all shares', () => {
    const definition = { shares: [share('new', 30), share('old', 0), share('both', 20)] }
    for (const id of ids) {
      const bucket = rolloutBucket('flag:parser', id)
      const expected = bucket < 3000 ? { parser: 'new' } : bucket < 5000 ? { parser: 'both' } : {}
      assert.deepEqual(flagValues({ parser: definition }, id), expected)
    }
  })

  test('of 100 percent is for everybody, and of 0 for nobody', () => {
    for (const id of ids) {
      assert.deepEqual(flagValues({ on: { shares: [share(true, 100)] } }, id), { on: true })
      assert.deepEqual(flagValues({ on: { shares: [share(true, 0)] } }, id), {})
    }
  })

  test('keeps the side of each agent while the share grows', () => {
    const has = (percent: number) =>
      new Set(ids.filter((id) => flagValues({ a: { shares: [share(1, percent)] } }, id)['a'] === 1))
    const [some, more] = [has(10), has(50)]
    assert.ok(some.size > 800 && [...some].every((id) => more.has(id)) && more.size > some.size)
  })

  test('has sides that do not depend on those of another flag, unless they share a salt', () => {
    const half = (salt?: string) => ({ shares: [share(1, 50)], ...(salt === undefined ? {} : { salt }) })
    const both = (one: object, other: object) =>
      ids.filter((id) => {
        const { a, b } = flagValues({ a: one as never, b: other as never }, id)
        return a === 1 && b === 1
      }).length
    const together = both(half(), half())
    assert.ok(together > 2300 && together < 2700, `${together} of 10000 have both; 2500 are expected`)
    assert.ok(both(half('x'), half('x')) > 4700)
  })

  test('may be a text of one line, an integer, true or false', () => {
    for (const value of ['', 'x'.repeat(256), 0, -1, Number.MAX_SAFE_INTEGER, true, false])
      assert.ok(flagsShape.check({ a: { shares: [{ value, percent: 1 }] } }, ''), String(value))
    for (const value of ['x'.repeat(257), 'a\nb', 1.5, null, [], {}, Number.MAX_SAFE_INTEGER + 1])
      assert.throws(
        () => flagsShape.check({ a: { shares: [{ value, percent: 1 }] } }, ''),
        ShapeMismatch,
        JSON.stringify(value),
      )
  })

  test('is a closed statement of shares of at most 100 percent together', () => {
    assert.ok(flagsShape.check({ a: { shares: [share(1, 60), share(2, 40)], salt: 's' } }, ''))
    const wrong = [
      { a: { shares: [share(1, 60), share(2, 41)] } },
      { a: { shares: [] } },
      { a: { shares: Array.from({ length: 17 }, () => share(1, 1)) } },
      { a: { shares: [share(1, 101)] } },
      { a: { shares: [share(1, 50)], only: 'x' } },
      { a: { shares: [{ ...share(1, 50), label: 'x' }] } },
      { a: { shares: [share(1, 50)], salt: 'a\nb' } },
      { A: { shares: [share(1, 50)] } },
      { a: {} },
    ]
    for (const flags of wrong) assert.throws(() => flagsShape.check(flags, ''), ShapeMismatch, JSON.stringify(flags))
  })
})

describe('the flags of an agent', () => {
  const all = (value: string) => ({ shares: [{ value, percent: 100 }] })
  const rollout = {
    flags: { a: all('everywhere'), b: all('everywhere') },
    rules: [
      { match: { labels: { ring: ['canary'] } }, flags: { a: all('canary'), c: all('canary') } },
      { match: {}, hold: true, flags: { a: all('late') } },
    ],
  }
  test('are those of the rollout, and those of its rules in their place', () => {
    const manifest = offer({ rollout })
    assert.deepEqual(flagsFor(manifest, factsOf()), { a: 'late', b: 'everywhere' })
    const canary = factsOf({ labels: { ring: 'canary' } })
    assert.deepEqual(flagsFor(manifest, canary), { a: 'canary', b: 'everywhere', c: 'canary' })
  })

  test('depend neither on the stages nor on a pause', () => {
    const paused = { ...rollout, paused: true, stages: [{ at: '2030-01-01T00:00:00Z', percent: 0 }] }
    assert.deepEqual(flagsFor(offer({ rollout: paused }), factsOf()), { a: 'late', b: 'everywhere' })
  })
})
