// Holds docs/fleet.md to the commands: options, defaults, codes.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { ALERT_CODES, ALERT_LIMITS } from '../../fleet/alerts/find-alerts.ts'
import { alertMessage } from '../../fleet/alerts/webhook.ts'
import { LOG_FORMATS } from '../../fleet/formats/log-line.ts'
import { SILENT_AFTER_MS, STUCK_AFTER_MS } from '../../fleet/figures.ts'
import { CSV_TABLES } from '../../fleet/report/csv.ts'
import { EXIT_ALERTS, parseDuration } from '../../manifests/index.ts'
import { runMoult } from './moult-process.ts'

const PAGE = readFileSync(new URL('../../docs/fleet.md', import.meta.url), 'utf8')
const HERE = fileURLToPath(new URL('.', import.meta.url))

/** The cells of the row that begins with this one. */
function row(first: string): string[] {
  const line = PAGE.split('\n').find((each) => each.startsWith(`| \`${first}\``))
  assert.ok(line !== undefined, `no row of ${first}`)
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

describe('docs/fleet.md', () => {
  test('calls commands with options that exist', async () => {
    const calls = [...PAGE.matchAll(/moult fleet (status|watch|report|alerts|export) ([^\n`]*)$/gm)]
    assert.ok(calls.length >= 6)
    const help = new Map<string, string>()
    for (const command of ['status', 'watch', 'report', 'alerts', 'export'])
      help.set(command, (await runMoult(['fleet', command, '--help'], HERE)).stdout)
    for (const [, command = '', rest = ''] of calls) {
      for (const [option] of rest.matchAll(/--[a-z-]+/g))
        assert.ok(hasOption(help.get(command), option), `${command} ${option}`)
    }
    for (const [option] of PAGE.matchAll(/--[a-z]+(?:-[a-z]+)*/g))
      assert.ok(
        [...help.values()].some((text) => hasOption(text, option)),
        option,
      )
    for (const format of LOG_FORMATS) {
      assert.match(help.get('status') ?? '', new RegExp(`choices:.*"${format}"`, 's'))
      assert.ok(row('--format')[1]?.includes(`\`${format}\``))
    }
    for (const table of CSV_TABLES) assert.match(help.get('status') ?? '', new RegExp(`choices:.*"${table}"`, 's'))
  })

  test('tells the defaults, the exit status and every code', () => {
    assert.equal(parseDuration(row('--stuck-after')[2]?.replaceAll('`', '') ?? ''), STUCK_AFTER_MS)
    assert.equal(parseDuration(row('--silent-after')[2]?.replaceAll('`', '') ?? ''), SILENT_AFTER_MS)
    assert.match(PAGE, new RegExp(`with ${EXIT_ALERTS} where there is one`))
    for (const code of Object.keys(ALERT_CODES)) row(code)
    const limitOf = (code: string): string => (row(code)[2] ?? '').replace(/^.*, /, '')
    assert.equal(limitOf('FLEET_FAILURE_RATE'), `${ALERT_LIMITS.maxFailureRate * 100} %`)
    assert.equal(limitOf('FLEET_SILENT'), `${ALERT_LIMITS.maxSilentShare * 100} %`)
    assert.equal(limitOf('FLEET_STUCK'), String(ALERT_LIMITS.maxStuck))
    assert.equal(parseDuration(limitOf('FLEET_NO_DATA')), ALERT_LIMITS.maxAgeMs)
    assert.match(row('FLEET_FAILURE_RATE')[1] ?? '', new RegExp(`\\(${ALERT_LIMITS.minAgents}\\)`))
  })

  test('shows the message as it is sent', () => {
    const [, text = ''] = /```json\n(.*?)```/s.exec(PAGE) ?? []
    const shown = JSON.parse(text) as ReturnType<typeof alertMessage>
    assert.deepEqual(alertMessage(shown.name, shown.at, shown.alerts), shown)
  })
})

function hasOption(help: string | undefined, option: string): boolean {
  return new RegExp(`${option}(?![a-z-])`).test(help ?? '')
}
