import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withAgentId } from '../../../agent/poll/agent-id.ts'
import { readRoot } from '../../../manifests/index.ts'
import { makeRoot } from '../../fixtures/signed-manifest.ts'

test('an agent has one stable id, which differs between products and gives the machine id away to none', () => {
  const fresh = { root: readRoot(makeRoot()), floors: {}, timeFloorMs: 0, quarantine: [] }
  const first = withAgentId('one-agent', fresh)
  assert.match(first.id, /^[0-9a-f]{32}$/)
  assert.equal(withAgentId('one-agent', first.state).id, first.id)
  if (first.state.fallbackId === undefined) assert.notEqual(withAgentId('other-agent', fresh).id, first.id)
})
