import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import type { Alert, AlertCode } from '../../../fleet/alerts/find-alerts.ts'
import { dueAlerts, readSentAlerts, REPEAT_AFTER_MS, writeSentAlerts } from '../../../fleet/alerts/sent-alerts.ts'
import { failsWith, temporaryFolder } from '../../release/project-fixture.ts'
import { NOW_MS } from '../sample-figures.ts'

const STUCK = alertOf('FLEET_STUCK')
const ROLLBACK = alertOf('FLEET_ROLLBACK', 'FLEET_ROLLBACK 1.4.2')

function alertOf(code: AlertCode, key: string = code): Alert {
  return { code, key, agents: 1, text: 'one' }
}

describe('an alert', () => {
  test('is due once, again after a day, and anew when it had ended', () => {
    const first = dueAlerts([STUCK], {}, NOW_MS)
    assert.deepEqual(first, { due: [STUCK], after: { FLEET_STUCK: NOW_MS } })
    const later = dueAlerts([STUCK, ROLLBACK], first.after, NOW_MS + 1000)
    assert.deepEqual(later, { due: [ROLLBACK], after: { FLEET_STUCK: NOW_MS, 'FLEET_ROLLBACK 1.4.2': NOW_MS + 1000 } })
    const nextDay = dueAlerts([STUCK], first.after, NOW_MS + REPEAT_AFTER_MS)
    assert.deepEqual(nextDay, { due: [STUCK], after: { FLEET_STUCK: NOW_MS + REPEAT_AFTER_MS } })
    assert.deepEqual(dueAlerts([STUCK], first.after, NOW_MS + REPEAT_AFTER_MS - 1).due, [])
    const ended = dueAlerts([], first.after, NOW_MS + 2000)
    assert.deepEqual(ended, { due: [], after: {} })
    assert.deepEqual(dueAlerts([STUCK], ended.after, NOW_MS + 3000).due, [STUCK])
  })

  test('has not ended because nothing could be read', () => {
    const { after } = dueAlerts([alertOf('FLEET_NO_DATA')], { FLEET_STUCK: NOW_MS - 1 }, NOW_MS)
    assert.deepEqual(after, { FLEET_STUCK: NOW_MS - 1, FLEET_NO_DATA: NOW_MS })
  })

  test('is due when the clock stands before the time that it was sent', () => {
    assert.deepEqual(dueAlerts([STUCK], { FLEET_STUCK: NOW_MS + 1 }, NOW_MS).due, [STUCK])
  })

  test('that is named like a member of every object is remembered like others', () => {
    const odd = alertOf('FLEET_STUCK', '__proto__')
    assert.deepEqual(dueAlerts([odd], {}, NOW_MS).due, [odd])
    const { after } = dueAlerts([odd], {}, NOW_MS)
    assert.deepEqual(dueAlerts([odd], after, NOW_MS + 1).due, [])
  })
})

describe('the file of sent alerts', () => {
  test('is read as it was written, for its owner alone, and leaves nothing beside it', async (t) => {
    const dir = await temporaryFolder(t)
    const path = join(dir, 'sent.json')
    assert.deepEqual(readSentAlerts(path), {})
    writeSentAlerts(path, { FLEET_STUCK: NOW_MS })
    writeSentAlerts(path, { FLEET_STUCK: NOW_MS, 'FLEET_ROLLBACK 1.4.2': NOW_MS })
    assert.deepEqual(readSentAlerts(path), { FLEET_STUCK: NOW_MS, 'FLEET_ROLLBACK 1.4.2': NOW_MS })
    assert.deepEqual(readdirSync(dir), ['sent.json'])
    if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600)
  })

  test('of another kind is an error, and is not overwritten', async (t) => {
    const path = join(await temporaryFolder(t), 'sent.json')
    for (const text of [
      '',
      'null',
      '[]',
      '{"format":"moult-seen/1","sent":{}}',
      '{"format":"moult-alerts/1","sent":3}',
    ]) {
      writeFileSync(path, text)
      assert.throws(() => readSentAlerts(path), failsWith('ERR_CONFIG_INVALID'), text)
      assert.equal(readFileSync(path, 'utf8'), text)
    }
  })
})
