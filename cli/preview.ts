import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'

import { formatDate, parseDate } from '../manifests/dates.ts'
import { MoultError } from '../manifests/errors.ts'
import type { Preview } from '../release/index.ts'
import { printable, printResult } from './print-result.ts'
import { runCommand } from './run-command.ts'
import { plainVersion, withRelease } from './rollout/run-rollout.ts'
import { addTermsOptions, termsFrom, type TermsOptions } from './rollout/terms-options.ts'

/** For people; programs read `--json`, which has all. */
const ROWS_DEFAULT = 30
const BAR_WIDTH = 40

interface Options extends TermsOptions {
  ids: string
  at?: string
  running?: string
  channel?: string
  baseUrl?: string
  config?: string
  rows?: string
  json?: boolean
}

export function registerPreview(program: Command): void {
  const command = program
    .command('preview')
    .description('who updates when: of what is live, or of a change before it is made; needs no key')
    .argument('[version]', 'look at this release as if it were offered; default: the live one')
    .requiredOption('--ids <file>', 'the agents, one on a line: an id, platform=, version=, label.<name>=; - is stdin')
    .option('--at <date>', 'look at this time, e.g. 2026-11-22T02:00:00Z; default: now')
    .option(
      '--running <version>',
      "what agents run that say nothing of it; default: the fallback's version, or nothing",
    )
    .option('--rows <n>', `agents to show; default ${ROWS_DEFAULT}`)
    .option('--channel <name>', 'default: of the configuration, or stable')
  addTermsOptions(command)
    .option('--base-url <url>', 'what the absolute URLs of the release begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option('--json', 'print one JSON object, with every agent')
    .action((version: string | undefined, options: Options) =>
      runCommand(options, (signal) => runPreview(version, options, signal)),
    )
}

async function runPreview(version: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  const { config, channel, baseUrl, running, json } = options
  const atMs = options.at === undefined ? undefined : dateOf(options.at)
  const rows = rowsOf(options.rows)
  const file = await readIds(options.ids)
  const result = await withRelease({}, signal, (side, deps) => {
    const given = { config, channel, baseUrl, atMs, version: version && plainVersion(version), ...termsFrom(options) }
    const agents = side.readFleet(file.content, file.name)
    return side.preview({ ...given, agents, running: running && plainVersion(running) }, deps)
  })
  for (const warning of result.warnings) console.error(`warning: ${warning}`)
  printResult(json, json === true ? asData(result) : result, linesOf(result, rows))
}

async function readIds(path: string): Promise<{ content: string; name: string }> {
  if (path === '-') return { content: await text(process.stdin), name: 'stdin' }
  try {
    return { content: await readFile(path, 'utf8'), name: basename(path) }
  } catch (cause) {
    throw new MoultError('ERR_USAGE_INVALID', `--ids: cannot be read: ${path}`, { details: { path }, cause })
  }
}

function linesOf(preview: Preview, rows: number): string[] {
  const { name, channel, version, isLive, at, expires, assumed, agents } = preview
  const offered = `${name} ${version} on ${channel}${isLive ? '' : ', if it were offered so'}`
  const { running = 'nothing', platform } = assumed
  return [
    `${offered}; ${countOf(agents.length)} from ${at}, good until ${expires}`,
    `Where the list does not say: ${platform}, running ${running}`,
    ...agentLines(preview, rows),
    ...section('Moves', preview.moves, ({ reason, version: to, agents: count, first, last }) => {
      return `${count} to ${to}: ${reason}, ${first === last ? `at ${first}` : `from ${first} to ${last}`}`
    }),
    ...section('Then', preview.rest, ({ why, version: stays = 'nothing', agents: count }) => {
      return `${count} stay at ${stays}: ${why}`
    }),
    ...section(`Running ${version}`, preview.curve, ({ at: time, agents: count, percent }) => {
      const bar = '#'.repeat(Math.round((percent / 100) * BAR_WIDTH)).padEnd(BAR_WIDTH)
      return `${time.padEnd(24)} ${bar} ${percent.toFixed(1).padStart(5)} %  ${count}`
    }),
  ]
}

function agentLines({ agents }: Preview, rows: number): string[] {
  const table = agents.slice(0, rows).flatMap(({ id, running = 'nothing', moves, rest, decision }) => {
    const stays = 'reason' in rest ? `${rest.kind}: ${rest.reason}` : rest.kind
    const bucket = String(decision.bucket)
    if (moves.length === 0) return [[printable(id), bucket, running, '-', '-', stays]]
    return moves.map(({ atMs, version, reason }, index) => {
      const before = index === 0 ? running : (moves[index - 1]?.version ?? '')
      return [index === 0 ? printable(id) : '', index === 0 ? bucket : '', before, formatDate(atMs), version, reason]
    })
  })
  if (table.length === 0) return []
  const all = [['id', 'bucket', 'runs', 'moves at', 'to', 'why'], ...table]
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  )
  const hidden = agents.length - rows
  return ['', ...lines, ...(hidden > 0 ? [`  and ${hidden} more: --rows, or --json for all`] : [])]
}

function section<T>(title: string, items: readonly T[], lineOf: (item: T) => string): string[] {
  return items.length === 0 ? [] : ['', `${title}:`, ...items.map((item) => `  ${lineOf(item)}`)]
}

/** Dates instead of milliseconds, and of each agent what it is about, without the documents behind it. */
function asData({ agents, ...rest }: Preview): object {
  const plain = agents.map(({ id, platform, running, decision, moves, rest: stays }) => {
    const { kind, bucket } = decision
    const until = decision.kind === 'wait' && decision.untilMs !== undefined ? formatDate(decision.untilMs) : undefined
    return {
      id,
      platform,
      running,
      bucket,
      decision: {
        kind,
        ...('reason' in decision ? { reason: decision.reason, version: decision.version } : {}),
        until,
      },
      moves: moves.map(({ atMs, version, reason }) => ({ at: formatDate(atMs), version, reason })),
      rest: { kind: stays.kind, ...('reason' in stays ? { reason: stays.reason } : {}) },
    }
  })
  return { ...rest, agents: plain }
}

function countOf(agents: number): string {
  return agents === 1 ? '1 agent' : `${agents} agents`
}

function dateOf(given: string): number {
  const atMs = parseDate(given)
  if (atMs !== undefined) return atMs
  throw new MoultError('ERR_USAGE_INVALID', `--at: expected a date such as 2026-11-22T02:00:00Z, got ${given}`)
}

function rowsOf(given = String(ROWS_DEFAULT)): number {
  if (/^\d{1,6}$/.test(given)) return Number(given)
  throw new MoultError('ERR_USAGE_INVALID', `--rows: expected a whole number, got ${given}`)
}
