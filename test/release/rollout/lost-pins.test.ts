// A pin that agents pass over is told of when it is laid down, not when nobody has gone.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { lostPins } from '../../../release/rollout/lost-pins.ts'
import { NOW_MS, type Overrides } from '../../fixtures/signed-manifest.ts'
import { makeShelf, manifestOf, VERSIONS } from '../../fuzz/random-rollouts.ts'

const { refs } = makeShelf()
const pin = (version: (typeof VERSIONS)[number]) => ({ pin: refs[VERSIONS.indexOf(version)] ?? {} })
const running = (...versions: string[]) => ({ match: { versions } })
const lostOf = (...rules: Overrides[]): string[] =>
  lostPins(manifestOf({ release: { version: '1.3.0' }, rollout: { rules: rules as never } }), NOW_MS)

test('a pin of agents that run the offered release is lost where nothing keeps them there', () => {
  assert.deepEqual(lostOf({ ...running('1.3.0'), ...pin('1.2.0') }), ['1.2.0'])
  assert.deepEqual(lostOf({ ...running('>=1.3.0'), ...pin('1.2.0') }, { ...running('1.2.0'), ...pin('1.1.0') }), [
    '1.2.0',
  ])
})

test('a pin that keeps them, a step on the way up, and a rule that no such agent matches are not', () => {
  assert.deepEqual(lostOf({ match: {}, ...pin('1.2.0') }), [])
  assert.deepEqual(lostOf({ ...running('1.3.0'), ...pin('1.2.0') }, { ...running('1.2.0'), hold: true }), [])
  assert.deepEqual(lostOf({ ...running('<1.2.0'), ...pin('1.2.0') }), [])
  assert.deepEqual(lostOf({ ...running('1.3.0'), ...pin('2.0.0') }), [])
  assert.deepEqual(lostOf({ match: {}, hold: true }, { ...running('1.3.0'), ...pin('1.2.0') }), [])
  const canary = { match: { labels: { ring: ['canary'] }, ids: ['web-1'], platforms: ['darwin-arm64'] } }
  assert.deepEqual(lostOf({ ...canary, ...pin('1.2.0') }, { match: {}, hold: true }), [])
})
