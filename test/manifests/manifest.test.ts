// The shapes of release and rollout. Each bad value is signed by the right keys, so that only its shape is at fault.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  entryPathShape,
  type JsonObject,
  type JsonValue,
  releaseShape,
  rolloutShape,
  shape,
} from '../../manifests/index.ts'
import { makeRelease, makeRollout } from '../fixtures/signed-manifest.ts'

const release = makeRelease()
const rollout = makeRollout(release)
const binary: JsonObject = { url: 'bin/x', sha256: 'a'.repeat(64), size: 1 }

type Faults = Readonly<Record<string, { good: readonly JsonValue[]; bad: readonly JsonValue[] }>>
const SIZES = { good: [1, 2 ** 53 - 1], bad: [0, -1, 2 ** 53, 1.5, '123', null, true] }
const HASHES = {
  good: ['a'.repeat(64)],
  bad: [
    'A'.repeat(64),
    'a'.repeat(63),
    'a'.repeat(65),
    'g'.repeat(64),
    `${'a'.repeat(64)}\n`,
    `${'A'.repeat(43)}=`,
    '',
    null,
    0,
  ],
}
const VERSIONS = { good: ['1.0.0', '1.0.0-rc.1'], bad: ['1', 'v1.0.0', '1.0.0 ', '1.0.0\n', '../1.0.0', '', null, 1] }
const DATES = {
  good: ['2026-11-21T02:00:00Z'],
  bad: [
    'banana',
    '2026-02-30T00:00:00Z',
    '2026-11-21T02:00:00',
    '10000-01-01T00:00:00Z',
    '2026-11-21T02:00:00+01:00',
    '',
    null,
    1_795_226_400,
  ],
}
const NAMES = {
  good: ['agent', 'a', 'a.b-c_9', 'a'.repeat(64)],
  bad: ['', 'Agent', '.a', '-a', '../a', 'a/b', 'a b', 'a\n', 'a'.repeat(65), 'é', null, 7],
}
const URLS = {
  good: ['bin/1.4.2/x', 'https://example.com/a?b=c#d', '%2e'],
  bad: ['', 'a b', 'a\\b', 'a\nb', '\u001b[2J', 'é', 'x'.repeat(2049), null, {}],
}

function check(
  of: shape.Shape<unknown>,
  base: JsonObject,
  faults: Faults,
  wrap: (value: JsonObject) => JsonValue = (value) => value,
): void {
  of.check(wrap(base), '')
  for (const [name, { good, bad }] of Object.entries(faults)) {
    for (const value of good) of.check(wrap({ ...base, [name]: value }), '')
    for (const value of bad) {
      assert.throws(
        () => of.check(wrap({ ...base, [name]: value }), ''),
        shape.ShapeMismatch,
        `${name}: ${JSON.stringify(value)}`,
      )
    }
  }
}

function needs(of: shape.Shape<unknown>, base: JsonObject, required: readonly string[]): void {
  assert.deepEqual(of.schema['required'], required)
  for (const name of required) {
    const { [name]: _, ...without } = base
    assert.throws(() => of.check(without, ''), shape.ShapeMismatch, name)
  }
}

const attachment = { url: 'bin/1.4.2/sbom.cdx.json', sha256: 'ab'.repeat(32), size: 7 }

describe('a release', () => {
  test('needs its members and tolerates others', () => {
    needs(releaseShape, release, ['format', 'name', 'version', 'release_date', 'binaries'])
    assert.equal('later' in releaseShape.check({ ...release, later: 1 }, ''), false)
  })

  test('takes only values in range', () => {
    check(releaseShape, release, {
      format: { good: ['moult/1'], bad: ['moult/2', 'moult-root/1', '', null] },
      name: NAMES,
      version: VERSIONS,
      release_date: DATES,
      min_version: VERSIONS,
      rollback_floor: VERSIONS,
      changelog: { good: ['', 'two\nlines', 'x'.repeat(16_384)], bad: ['x'.repeat(16_385), null, 1, []] },
      container_image: { good: ['registry.example.com/a@sha256:00'], bad: ['a\nb', 'a\rb', 'x'.repeat(513), null] },
      binaries: {
        good: [{}, { 'linux-amd64': binary }],
        bad: [
          null,
          [],
          'x',
          { linux: binary },
          { __proto: binary },
          { 'Linux-amd64': binary },
          { 'linux-amd64': null },
        ],
      },
      attachments: {
        good: [{}, { sbom: attachment }, { helm_values: { ...attachment, later: 1 } }],
        bad: [null, [], { 'sbom.json': attachment }, { Sbom: attachment }, { sbom: { ...attachment, size: 0 } }],
      },
    })
  })

  test('takes at most 64 platforms', () => {
    const platforms = (count: number) => ({
      ...release,
      binaries: Object.fromEntries(Array.from({ length: count }, (_, i) => [`os${i}-arch`, binary])),
    })
    releaseShape.check(platforms(64), '')
    assert.throws(() => releaseShape.check(platforms(65), ''), shape.ShapeMismatch)
  })

  test('has binaries with a URL, a hash and a size', () => {
    check(
      releaseShape,
      binary,
      {
        url: URLS,
        sha256: HASHES,
        size: SIZES,
        unpack: { good: ['file', 'tar'], bad: ['zip', '', null] },
        entry: { good: ['bin/agent'], bad: ['../x', '/x', '', null] },
        later: { good: [1], bad: [] },
      },
      (value) => ({ ...release, binaries: { 'linux-amd64': value } }),
    )
    for (const name of Object.keys(binary)) {
      const { [name]: _, ...without } = binary
      assert.throws(
        () => releaseShape.check({ ...release, binaries: { 'linux-amd64': without } }, ''),
        shape.ShapeMismatch,
      )
    }
  })

  test('has downloads of the same kind, with any encoding', () => {
    check(
      releaseShape,
      binary,
      {
        url: URLS,
        sha256: HASHES,
        size: SIZES,
        from: HASHES,
        encoding: { good: ['br', 'zstd-of-later-days'], bad: ['x'.repeat(33), null, 1] },
        later: { good: [1], bad: [] },
      },
      (value) => ({ ...release, binaries: { 'linux-amd64': { ...binary, downloads: [value] } } }),
    )
    const many = (count: number) => ({
      ...release,
      binaries: { 'linux-amd64': { ...binary, downloads: Array.from({ length: count }, () => binary) } },
    })
    releaseShape.check(many(32), '')
    assert.throws(() => releaseShape.check(many(33), ''), shape.ShapeMismatch)
  })
})

describe('a rollout', () => {
  const stage: JsonObject = { at: '2026-11-21T02:00:00Z', percent: 5 }

  test('needs its members and tolerates others', () => {
    needs(rolloutShape, rollout, ['format', 'name', 'channel', 'release', 'sequence', 'issued', 'expires', 'stages'])
    rolloutShape.check({ ...rollout, later: { a: 1 } }, '')
  })

  test('takes only values in range', () => {
    check(rolloutShape, rollout, {
      format: { good: ['moult-rollout/1'], bad: ['moult/1', null] },
      name: NAMES,
      channel: NAMES,
      release: HASHES,
      sequence: SIZES,
      issued: DATES,
      expires: DATES,
      stages: { good: [[stage]], bad: [[], null, {}, [null], [{ at: stage['at'] as string }], [{ percent: 5 }]] },
      paused: { good: [true, false], bad: ['true', 0, null] },
      salt: { good: ['', 'x'], bad: ['a\nb', 'x'.repeat(129), null, 1] },
      poll: { good: ['5m', '1h30m'], bad: ['5', '', '5 m', '-5m', null, 300] },
      rollback: { good: [[], ['1.4.2']], bad: [['latest'], ['1.4.2\n'], '1.4.2', null] },
      previous: HASHES,
    })
  })

  test('has stages of a date and a whole percent from 0 to 100', () => {
    check(
      rolloutShape,
      stage,
      {
        at: DATES,
        percent: { good: [0, 1, 50, 99, 100], bad: [101, -1, 0.5, '10', null, NaN] },
      },
      (value) => ({ ...rollout, stages: [value] }),
    )
    const many = (count: number) => ({ ...rollout, stages: Array.from({ length: count }, () => stage) })
    rolloutShape.check(many(100), '')
    assert.throws(() => rolloutShape.check(many(101), ''), shape.ShapeMismatch)
  })
})

test('an entry is a relative path that stays inside its tree', () => {
  for (const good of ['agent', 'bin/agent', 'a/b/c', '.hidden', '..a/b', 'a...', '@scope/x+y'])
    assert.equal(entryPathShape.check(good, ''), good)
  const bad = [
    '',
    '/a',
    'a/',
    'a//b',
    '..',
    '.',
    '../a',
    'a/..',
    'a/../b',
    './a',
    'a/./b',
    'a\\b',
    'C:/x',
    'a b',
    'a\n',
    'é',
    'a\0b',
  ]
  for (const path of [...bad, 'a'.repeat(513)])
    assert.throws(() => entryPathShape.check(path, ''), shape.ShapeMismatch, path)
})
