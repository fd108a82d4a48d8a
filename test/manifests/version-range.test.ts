import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { isInRange, versionRangeShape } from '../../manifests/index.ts'
import { ShapeMismatch } from '../../manifests/shape.ts'

describe('a range of versions', () => {
  const rows: readonly (readonly [range: string, within: readonly string[], without: readonly string[]])[] = [
    ['1.4.2', ['1.4.2', '1.4.2+build'], ['1.4.1', '1.4.3', '1.4.2-rc.1']],
    ['<1.4.2', ['1.4.1', '0.0.0-0', '1.4.2-rc.1'], ['1.4.2', '1.4.2+build', '1.10.0']],
    ['<=1.4.2', ['1.4.2', '1.4.2+build', '1.4.1'], ['1.4.3-0']],
    ['>1.4.2', ['1.4.3', '1.10.0', '1.4.3-rc.1'], ['1.4.2', '1.4.2-rc.1', '1.4.2+build']],
    ['>=1.4.2', ['1.4.2', '2.0.0'], ['1.4.2-rc.9', '1.4.1']],
    ['>=1.2.0 <2.0.0', ['1.2.0', '1.99.99', '2.0.0-rc.1'], ['2.0.0', '1.2.0-rc.1', '1.1.9']],
    ['>1.0.0 >1.1.0 <1.5.0 <1.4.0', ['1.1.1', '1.3.9'], ['1.0.5', '1.4.0']],
    ['>2.0.0 <1.0.0', [], ['1.0.0', '1.5.0', '2.0.0']],
  ]
  for (const [range, within, without] of rows) {
    test(range, () => {
      assert.equal(versionRangeShape.check(range, 'range'), range)
      for (const version of within) assert.equal(isInRange(version, range), true, version)
      for (const version of without) assert.equal(isInRange(version, range), false, version)
    })
  }

  test('is nothing else: what other tools mean by it is refused, and means no version', () => {
    const wrong = ['', ' ', '*', '1.x', '1.2', '^1.2.0', '~1.2.0', '=1.2.0', 'v1.2.0', '>1.0.0  <2.0.0', ' >1.0.0']
    const more = ['>1.0.0 ', '>1.0.0,<2.0.0', '1.0.0 || 2.0.0', '1.0.0 - 2.0.0', '> 1.0.0', '<>1.0.0', '1.0.0\n', '>=']
    for (const range of [...wrong, ...more, '>1.0.0 >1.0.1 >1.0.2 >1.0.3 >1.0.4', `>${'1'.repeat(600)}.0.0`]) {
      assert.throws(() => versionRangeShape.check(range, 'range'), ShapeMismatch, JSON.stringify(range))
      assert.equal(isInRange('1.0.0', range), false, JSON.stringify(range))
    }
  })
})
