import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import { agentLabel, beaconIdOf, readAgentNames } from '../../fleet/agent-names.ts'

test('a pseudonym is the first 16 digits of the hash of program and agent, apart for two programs', () => {
  const hash = createHash('sha256').update('moult-beacon\nheartbeat-agent\n0f1e').digest('hex')
  assert.equal(beaconIdOf('heartbeat-agent', '0f1e'), hash.slice(0, 16))
  assert.notEqual(beaconIdOf('other-agent', '0f1e'), beaconIdOf('heartbeat-agent', '0f1e'))
})

test('the list that a preview takes gives names too', () => {
  const lines = [
    'web-001',
    'web-002 platform=linux-arm64 version=1.4.1 label.ring=canary',
    '{"id": "with space", "version": null}',
  ]
  const names = readAgentNames([...lines, 'web-003 Bern label.site=bern', '{broken'].join('\n'), 'probe')
  const ids = ['web-001', 'web-002', 'with space', 'web-003']
  assert.deepEqual(
    ids.map((id) => names.get(beaconIdOf('probe', id))),
    ['web-001', 'web-002', 'with space', 'Bern'],
  )
})

test('a list of ids gives names, in any usual form of line', () => {
  const text = '\ufeff# the fleet\r\n\r\nid-1\tBasel 7\r\nid-2, Bern, roof\n  id-3  \nid-4 one\nid-4 two'
  const names = readAgentNames(text, 'probe')
  const labelOf = (id: string): string => agentLabel(beaconIdOf('probe', id), names)
  assert.deepEqual(['id-1', 'id-2', 'id-3', 'id-4'].map(labelOf), ['Basel 7', 'Bern, roof', 'id-3', 'two'])
  assert.equal(names.size, 4)
  assert.equal(agentLabel('0123456789abcdef', names), '0123456789abcdef')
  assert.equal(agentLabel('0123456789abcdef', undefined), '0123456789abcdef')
})
