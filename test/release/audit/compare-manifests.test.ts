import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { JsonObject } from '../../../manifests/index.ts'
import { compareManifests, type HistoryEvent } from '../../../release/audit/compare-manifests.ts'
import { readPast } from '../../../release/audit/walk-history.ts'
import { documentBytes } from '../../../release/document-bytes.ts'

const DAY = ['2026-11-21T02:00:00Z', '2026-11-22T02:00:00Z', '2026-11-23T02:00:00Z'] as const
const FULL = [{ at: DAY[0], percent: 100 }]

function manifestOf({ version = '1.4.2', root = 1, signatures = [], ...rollout }: JsonObject = {}) {
  const document = {
    format: 'moult/1',
    name: 'probe',
    version,
    release_date: DAY[0],
    binaries: {},
    signatures,
    rollout: {
      ...{ format: 'moult-rollout/1', name: 'probe', channel: 'stable', sequence: 7, issued: DAY[1] },
      // Another version is another release.
      ...{ release: Buffer.from((version as string).padEnd(32)).toString('hex'), expires: DAY[2], stages: FULL },
      ...rollout,
    },
  } as JsonObject
  return { ...readPast(documentBytes(document)), root: root as number }
}

const FLAG = { 'new-parser': { shares: [{ value: true, percent: 50 }] } }
const STAGED = [
  { at: DAY[0], percent: 5 },
  { at: DAY[2], percent: 50 },
]
const REFERENCE = { version: '1.4.1', release: '0'.repeat(64), url: 'releases/1.4.1.json' }

const CASES: readonly (readonly [string, JsonObject, JsonObject, readonly HistoryEvent[]])[] = [
  ['nothing but dates', {}, { sequence: 8, expires: '2027-01-01T00:00:00Z' }, [{ kind: 'refreshed' }]],
  ['a newer release', { version: '1.4.1' }, {}, [{ kind: 'released', version: '1.4.2', stages: FULL }]],
  [
    'an older release',
    { version: '1.5.0' },
    { rollback: ['1.5.0'] },
    [{ kind: 'rolled-back', version: '1.4.2', stages: FULL }],
  ],
  [
    'another build of the version',
    {},
    { version: '1.4.2+2' },
    [{ kind: 'released', version: '1.4.2+2', stages: FULL }],
  ],
  ['more of the fleet', { stages: [{ at: DAY[0], percent: 5 }] }, {}, [{ kind: 'widened', from: 5, to: 100 }]],
  ['less of the fleet', {}, { stages: [{ at: DAY[1], percent: 0 }] }, [{ kind: 'narrowed', from: 100, to: 0 }]],
  ['more of it later', { stages: STAGED.slice(0, 1) }, { stages: STAGED }, [{ kind: 'widened', from: 5, to: 50 }]],
  [
    'other times',
    { stages: STAGED },
    { stages: [STAGED[0] as JsonObject, { at: '2026-11-24T02:00:00Z', percent: 50 }] },
    [{ kind: 'changed', member: 'stages' }],
  ],
  ['a pause', {}, { paused: true, paused_since: DAY[1] }, [{ kind: 'paused' }]],
  [
    'the end of a pause, by which the stages to come are moved',
    { paused: true, paused_since: DAY[0], stages: STAGED },
    { stages: [STAGED[0] as JsonObject, { at: '2026-11-24T02:00:00Z', percent: 50 }] },
    [{ kind: 'resumed' }],
  ],
  [
    'a newer release, by which the stages of a rule begin anew',
    { version: '1.4.1', rules: [{ match: {}, stages: [{ at: DAY[0], percent: 5 }] }] },
    { rules: [{ match: {}, stages: [{ at: DAY[1], percent: 5 }] }] },
    [{ kind: 'released', version: '1.4.2', stages: FULL }],
  ],
  [
    'a newer release with another share in a rule',
    { version: '1.4.1', rules: [{ match: {}, stages: [{ at: DAY[0], percent: 5 }] }] },
    { rules: [{ match: {}, stages: [{ at: DAY[1], percent: 6 }] }] },
    [
      { kind: 'released', version: '1.4.2', stages: FULL },
      { kind: 'changed', member: 'rules' },
    ],
  ],
  [
    'the end of a pause, by which the stages of a rule are moved',
    { paused: true, paused_since: DAY[0], rules: [{ match: {}, stages: STAGED }] },
    { rules: [{ match: {}, stages: [STAGED[0] as JsonObject, { at: '2026-11-24T02:00:00Z', percent: 50 }] }] },
    [{ kind: 'resumed' }],
  ],
  [
    'other times of a rule alone',
    { rules: [{ match: {}, stages: STAGED }] },
    { rules: [{ match: {}, stages: [STAGED[0] as JsonObject, { at: '2026-11-24T02:00:00Z', percent: 50 }] }] },
    [{ kind: 'changed', member: 'rules' }],
  ],
  ['another root', { root: 2 }, { root: 3 }, [{ kind: 'root', from: 2, to: 3 }]],
  [
    'other signatures of the release',
    {},
    { signatures: [{ key: '0'.repeat(64), sig: '' }] },
    [{ kind: 'signed-anew' }],
  ],
  [
    'rules and flags',
    { flags: FLAG },
    { rules: [{ match: {}, hold: true }] },
    [
      { kind: 'changed', member: 'flags' },
      { kind: 'changed', member: 'rules' },
    ],
  ],
  ['a member that nobody knows yet', {}, { later: 1 }, [{ kind: 'changed', member: 'later' }]],
  ['a fallback', {}, { fallback: REFERENCE }, [{ kind: 'changed', member: 'fallback' }]],
  [
    'several at once; the fallback comes with the release',
    { version: '1.4.1' },
    { fallback: REFERENCE, paused: true, root: 2, flags: FLAG },
    [
      { kind: 'released', version: '1.4.2', stages: FULL },
      { kind: 'paused' },
      { kind: 'root', from: 1, to: 2 },
      { kind: 'changed', member: 'flags' },
    ],
  ],
]

for (const [name, before, after, events] of CASES)
  test(`what happened between two manifests: ${name}`, () => {
    assert.deepEqual(compareManifests(manifestOf(before), manifestOf(after)), events)
  })

test('the first manifest of a channel released what it offers', () => {
  assert.deepEqual(compareManifests(undefined, manifestOf()), [{ kind: 'released', version: '1.4.2', stages: FULL }])
})
