// The fleet on a terminal: what the report shows, in a screenful.

import { agentLabel, type AgentNames } from '../agent-names.ts'
import { findAlerts } from '../alerts/find-alerts.ts'
import type { AgentLine, FleetFigures } from '../fleet-figures.ts'
import { visibleText } from '../visible-text.ts'
import { countOf, countText, minuteText, percentText, spanText } from './figure-text.ts'
import type { ReportOptions } from './report-options.ts'

export interface TerminalOptions extends ReportOptions {
  /** Characters in a line. */
  readonly width: number
  readonly isColored: boolean
  /** Whether the terminal shows blocks, or ASCII alone. */
  readonly isUnicode: boolean
}

const WIDTH_MIN = 40
const BAR_MAX = 40
/** Rows of a table; what is behind them is counted. */
const ROWS_MAX = 10
const LEVELS = { unicode: '▁▂▃▄▅▆▇█', ascii: '_.-=+*%#' } as const
const SGR = { bold: '1', quiet: '2', alarm: '31' } as const

/** Lines without a line end at the last one. No line is wider than the terminal. */
export function statusText(figures: FleetFigures, options: TerminalOptions): string {
  const width = Math.max(WIDTH_MIN, options.width)
  const paint = (style: keyof typeof SGR, line: string): string =>
    options.isColored ? `\u001b[${SGR[style]}m${line}\u001b[0m` : line
  const cut = (line: string): string => cutTo(line.trimEnd(), width, options.isUnicode)
  const head = (line: string): string => paint('bold', cut(line))
  const table = (rows: readonly (readonly string[])[], figureColumns: readonly number[]): string[] =>
    tableLines(rows, figureColumns).map((line, index) => (index === 0 ? paint('quiet', cut(line)) : cut(line)))

  const { name, offered, agents, lines, firstMs, lastMs, versions, releases, errors } = figures
  const shown = visibleText(name)
  const alerts = findAlerts(figures, options)
  const told = releases.filter(({ updated, rolledBack, failed }) => updated + rolledBack + failed > 0)
  const malformed = lines.malformed === 0 ? '' : `, ${countText(lines.malformed)} malformed`
  return [
    head(`${shown}: ${countOf(agents.active, 'active agent')} of ${countText(agents.total)}${offeredText(offered)}`),
    cut(
      `${minuteText(firstMs)} to ${minuteText(lastMs)} UTC, ${countOf(lines.polls, 'poll')} in ${countOf(lines.total, 'line')}${malformed}`,
    ),
    ...alerts.map(({ code, text }) => paint('alarm', cut(`! ${code} ${visibleText(text)}`))),
    '',
    ...barLines(versions, width, options.isUnicode).map((line, index) =>
      index === 0 ? paint('quiet', cut(line)) : cut(line),
    ),
    ...rest(versions.length),
    ...(told.length === 0
      ? []
      : [
          '',
          ...table(
            [
              ['release', 'updated', 'rolled back', 'failed', 'failure rate', 'median', '95 %'],
              ...told
                .slice(0, ROWS_MAX)
                .map(({ version, updated, rolledBack, failed, failureRate, timeToUpdate: time }) => [
                  visibleText(version),
                  ...[updated, rolledBack, failed].map(countText),
                  percentText(failureRate),
                  ...(time === undefined
                    ? ['', '']
                    : [time.median, time.p95].map((seconds) => spanText(seconds * 1000))),
                ]),
            ],
            [1, 2, 3, 4, 5, 6],
          ),
          ...rest(told.length),
        ]),
    ...pollLines(figures, width, options.isUnicode).map(cut),
    ...agentLines('stuck', figures.stuck, agents.stuck, ({ sinceMs }) => figures.nowMs - sinceMs, options.names, table),
    ...agentLines(
      'silent',
      figures.silent,
      agents.silent,
      ({ lastMs }) => figures.nowMs - lastMs,
      options.names,
      table,
    ),
    ...(errors.length === 0
      ? []
      : [
          '',
          ...table(
            [
              ['error', 'agents'],
              ...errors.slice(0, ROWS_MAX).map(({ code, agents: some }) => [visibleText(code), countText(some)]),
            ],
            [1],
          ),
          ...rest(errors.length),
        ]),
  ].join('\n')
}

function offeredText(offered: string | undefined): string {
  return offered === undefined ? '' : `, ${visibleText(offered)} is offered`
}

function rest(total: number): string[] {
  return total > ROWS_MAX ? [`and ${countText(total - ROWS_MAX)} more`] : []
}

function barLines(versions: FleetFigures['versions'], width: number, isUnicode: boolean): string[] {
  const rows = versions
    .slice(0, ROWS_MAX)
    .map(({ key, agents, share }) => [visibleText(key), countText(agents), percentText(share)])
  const [head = '', ...lines] = tableLines([['version', 'agents', 'share'], ...rows], [1, 2])
  const room = Math.max(0, Math.min(BAR_MAX, width - head.length - 2))
  const block = isUnicode ? '█' : '#'
  return [
    head,
    ...lines.map((line, index) => `${line}  ${block.repeat(Math.round((versions[index]?.share ?? 0) * room))}`),
  ]
}

function pollLines({ polls }: FleetFigures, width: number, isUnicode: boolean): string[] {
  const title = 'polls per hour  '
  const seen = polls.slice(-Math.max(1, width - title.length)).map((each) => each.polls)
  if (seen.length === 0) return []
  const most = Math.max(1, ...seen)
  const levels = isUnicode ? LEVELS.unicode : LEVELS.ascii
  const line = seen
    .map((count) => levels[Math.min(levels.length - 1, Math.floor((count / most) * levels.length))])
    .join('')
  return ['', `${title}${line}`, `${' '.repeat(title.length)}${countText(Math.min(...seen))} to ${countText(most)}`]
}

function agentLines(
  what: string,
  agents: readonly AgentLine[],
  total: number,
  spanOf: (agent: AgentLine) => number,
  names: AgentNames | undefined,
  table: (rows: readonly (readonly string[])[], figureColumns: readonly number[]) => string[],
): string[] {
  if (total === 0) return []
  const rows = agents.slice(0, ROWS_MAX).map((agent) => {
    const { version, platform, state, error } = agent
    const texts = [agentLabel(agent.id, names), version ?? 'none', platform, state ?? '', error ?? '']
    return [...texts.map(visibleText), spanText(spanOf(agent))]
  })
  return ['', ...table([[what, 'version', 'platform', 'state', 'error', 'for'], ...rows], [5]), ...rest(total)]
}

/** Columns as wide as their longest text; a column of figures stands at the right. */
function tableLines(rows: readonly (readonly string[])[], figureColumns: readonly number[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((text, column) => {
        const width = widths[column] ?? 0
        return figureColumns.includes(column) ? text.padStart(width) : text.padEnd(width)
      })
      .join('  '),
  )
}

function cutTo(line: string, width: number, isUnicode: boolean): string {
  const shown = isUnicode ? line : line.replaceAll('–', '-')
  if (shown.length <= width) return shown
  return isUnicode ? `${shown.slice(0, width - 1)}…` : `${shown.slice(0, width - 3)}...`
}
