// Holds docs/monitoring.md to the code: every name in its tables, and none that is not there.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { AGENT_STATES } from '../../agent/report/agent-state.ts'
import { agentStatus } from '../../agent/report/agent-status.ts'
import { EVENT_KINDS, HISTORY_KINDS } from '../../agent/report/history.ts'
import { homeAt } from '../../agent/home/home.ts'
import { writeMetrics } from '../../agent/report/metrics.ts'
import { layOutHome, makeDir, NOW, settingsAt } from './field.ts'

const PAGE = fs.readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')

/** The rows of the table whose first column has this title. */
function rows(title: string): string[][] {
  const [, body = ''] =
    new RegExp(`^\\| ${title} \\|.*\\n\\| ---.*\\n((?:\\|.*\\n)+)`, 'm').exec(PAGE.split('## Events')[0] ?? '') ?? []
  return cells(body)
}

function cells(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const names = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

describe('docs/monitoring.md', () => {
  test('has every member of the status and every state', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const status = agentStatus(settingsAt(home, { url: 'http://127.0.0.1:1' }))
    assert.deepEqual(
      rows('member')
        .flatMap(([cell]) => names(cell))
        .toSorted(),
      Object.keys(status).toSorted(),
    )
    assert.deepEqual(
      rows('state').flatMap(([cell]) => names(cell)),
      [...AGENT_STATES],
    )
  })

  test('has every kind of line of the history', () => {
    const listed = rows('kind').flatMap(([cell]) => names(cell))
    // `swapped` without a version before it; and those of checks, which are no events of their own.
    const others = ['installed', 'check-failed', 'up-to-date', 'wait', 'refuse', 'install']
    assert.deepEqual(listed.toSorted(), [...HISTORY_KINDS, ...others].toSorted())
  })

  test('has every metric with its type', async (t) => {
    const home = homeAt(makeDir(t))
    await layOutHome(home)
    const settings = settingsAt(home, { url: 'http://127.0.0.1:1' })
    const at = '2026-11-21T12:00:00Z'
    const note = { at, outcome: 'failed', code: 'ERR_BUG', lastSuccess: at, sequence: 1, expires: at }
    fs.writeFileSync(home.status, JSON.stringify(note))
    assert.equal(writeMetrics(settings, {}, NOW), undefined)
    const types = [...fs.readFileSync(home.metrics, 'utf8').matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    assert.deepEqual(
      rows('metric').map(([name, type]) => [...names(name), type]),
      types.map(([, name, type]) => [name, type]),
    )
  })

  test('has every kind of event', () => {
    const [, events = ''] = /^\| kind \| members \| when \|\n\| ---.*\n((?:\|.*\n?)+)/m.exec(PAGE) ?? []
    assert.deepEqual(
      cells(events)
        .flatMap(([cell]) => names(cell))
        .toSorted(),
      [...EVENT_KINDS].toSorted(),
    )
  })
})
