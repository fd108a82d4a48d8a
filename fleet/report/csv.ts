// Tables of the figures for a spreadsheet, as RFC 4180 has them.

import { agentLabel, type AgentNames } from '../agent-names.ts'
import type { AgentLine, FleetFigures } from '../fleet-figures.ts'
import { visibleText } from '../visible-text.ts'
import { isoText } from './figure-text.ts'

export const CSV_TABLES = ['versions', 'releases', 'agents', 'events'] as const
export type CsvTable = (typeof CSV_TABLES)[number]

type Cell = string | number | undefined

/** Of `agents` the figures name those that are stuck or silent. Shares are from 0 to 1, times RFC 3339, spans seconds. */
export function csvOf(figures: FleetFigures, table: CsvTable, names?: AgentNames): string {
  return rowsOf(figures, table, names)
    .map((row) => `${row.map(cellText).join(',')}\r\n`)
    .join('')
}

function rowsOf(figures: FleetFigures, table: CsvTable, names: AgentNames | undefined): readonly (readonly Cell[])[] {
  switch (table) {
    case 'versions':
      return [['version', 'agents', 'share'], ...figures.versions.map(({ key, agents, share }) => [key, agents, share])]
    case 'releases':
      return [
        [
          'version',
          'agents',
          'updated',
          'rolled_back',
          'failed',
          'on_trial',
          'failure_rate',
          'first_seen',
          'median_s',
          'p95_s',
          'max_s',
        ],
        ...figures.releases.map(({ timeToUpdate: time, firstSeenMs, ...release }) => [
          release.version,
          release.agents,
          release.updated,
          release.rolledBack,
          release.failed,
          release.onTrial,
          release.failureRate,
          timeText(firstSeenMs),
          time?.median,
          time?.p95,
          time?.max,
        ]),
      ]
    case 'agents':
      return [
        ['agent', 'why', 'version', 'platform', 'channel', 'state', 'error', 'last_seen', 'on_version_since'],
        ...figures.stuck.map((agent) => agentRow(agent, 'stuck', names)),
        ...figures.silent.map((agent) => agentRow(agent, 'silent', names)),
      ]
    case 'events':
      return [
        ['time', 'agent', 'event', 'version', 'detail'],
        ...figures.events.map(({ atMs, id, kind, version, detail }) => [
          timeText(atMs),
          agentLabel(id, names),
          kind,
          version,
          detail,
        ]),
      ]
  }
}

function agentRow(agent: AgentLine, why: string, names: AgentNames | undefined): readonly Cell[] {
  const { id, version, platform, channel, state, error, lastMs, sinceMs } = agent
  return [agentLabel(id, names), why, version, platform, channel, state, error, timeText(lastMs), timeText(sinceMs)]
}

function timeText(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : isoText(timeMs)
}

/** A spreadsheet takes a cell that begins so for a formula, also after white space: an apostrophe makes it text. */
function cellText(cell: Cell): string {
  if (cell === undefined) return ''
  if (typeof cell === 'number') return String(cell)
  const text = visibleText(cell)
  const harmless = /^\s*[=+\-@＝＋－＠]/.test(text) ? `'${text}` : text
  return /[",'\s]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
