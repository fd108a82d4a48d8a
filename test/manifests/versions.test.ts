import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { compareVersions, isVersion, VERSION_MAX_CHARS } from '../../manifests/index.ts'

describe('versions', () => {
  test('are versions of Semantic Versioning 2.0.0', () => {
    for (const good of [
      '0.0.0',
      '1.4.2',
      '1.0.0-rc.1',
      '1.0.0-x.7.z.92',
      '1.0.0+build.5',
      '1.0.0-a+b',
      '9007199254740991.0.0',
    ]) {
      assert.equal(isVersion(good), true, good)
    }
    const bad = [
      '',
      '1',
      '1.2',
      '1.2.3.4',
      'v1.2.3',
      '=1.2.3',
      '01.2.3',
      '1.2.3-',
      '1.2.3+',
      '1.2.3-01',
      '1.2.3-a..b',
      'latest',
    ]
    for (const text of [...bad, '1.2.-3', '9007199254740992.0.0', '1.2.3-ä', '1.2.x', '../1.2.3', '1.2.3/..']) {
      assert.equal(isVersion(text), false, text)
    }
  })

  test('have nothing around them, not even spaces that the parser would trim', () => {
    for (const space of [' ', '\n', '\r\n', '\t', '\u00a0', '\u2028', '\ufeff', '\0']) {
      assert.equal(isVersion(`1.2.3${space}`), false, JSON.stringify(space))
      assert.equal(isVersion(`${space}1.2.3`), false, JSON.stringify(space))
    }
  })

  test('have at most the length of the limit', () => {
    const longest = `1.2.3-${'a'.repeat(VERSION_MAX_CHARS - 6)}`
    assert.equal(isVersion(longest), true)
    assert.equal(isVersion(`${longest}a`), false)
  })

  test('are ordered as the specification orders them', () => {
    const ascending = [
      '0.9.9',
      '1.0.0-0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.2.0',
      '1.10.0',
      '2.0.0',
      '10.0.0',
    ]
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries())
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`)
    }
  })

  test('are equal when only the build metadata differs', () => {
    assert.equal(compareVersions('1.0.0+a', '1.0.0+b'), 0)
    assert.equal(compareVersions('1.0.0+a', '1.0.0'), 0)
  })

  test('comparing text that is no version is a TypeError', () => {
    assert.throws(() => compareVersions('1.0.0', 'latest'), TypeError)
  })
})
