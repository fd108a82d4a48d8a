// `<home>/metrics.prom`: figures in the text format of Prometheus, for the textfile collector of node_exporter or for
// whoever serves the file. Replaced as a whole after each check and each turn of an update. Only told, never acted on.

import { resolve } from 'node:path'

import { parseDate, platformOf } from '../../manifests/index.ts'
import { AGENT_STATES, agentState } from './agent-state.ts'
import { readIfPossible } from '../home/durable-file.ts'
import { type LastCheck, readLastCheck } from './last-check.ts'
import { installedRecord } from '../home/launch-record.ts'
import { MOULT_VERSION } from '../moult-version.ts'
import type { Settings } from '../settings/settings.ts'
import { loadState, quarantinedAt } from '../home/state.ts'
import { replaceToldFile } from '../home/told-file.ts'

/** What has happened since the file was written last. */
export interface Counts {
  readonly checks?: number
  readonly checkFailures?: number
  readonly updates?: number
  /** Of the updates, those that came as a patch to what was installed. */
  readonly deltaUpdates?: number
  readonly downloadFailures?: number
  readonly rollbacks?: number
  /** Artifacts that are not tried again now, where that was just found out. */
  readonly quarantined?: number
}

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly Sample[]
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  /** One that is unknown leaves no line: 0 would be a date in 1970. */
  readonly value: number | undefined
}

const FILE_MAX_BYTES = 64 * 1024

/**
 * Writes the file anew, with what is known now and the counters of the old file raised by `counts`.
 *
 * @param now milliseconds since 1970
 * @returns why that could not be done: it MUST NOT fail an update
 */
export function writeMetrics(settings: Settings, counts: Counts, now: number): Error | undefined {
  const path = metricsPath(settings)
  try {
    const old = readIfPossible(path, FILE_MAX_BYTES)?.toString('utf8') ?? ''
    const text = formatMetrics(settings, metricsOf(settings, old, counts, now))
    replaceToldFile(settings.home.disk, path, text, 0o644)
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** The file that is written: the one of the settings, or that of home. */
export function metricsPath({ home, metricsFile }: Settings): string {
  return metricsFile === undefined ? home.metrics : resolve(home.path, metricsFile)
}

function metricsOf(settings: Settings, old: string, counts: Counts, now: number): Metric[] {
  const { home, channel } = settings
  const record = installedRecord(home)
  const check = readLastCheck(home)
  const state = agentState(record, check)
  const info = {
    version: record?.version ?? '',
    channel,
    platform: platformOf(process.platform, process.arch),
    moult_version: MOULT_VERSION,
  }
  const gauge = (name: string, help: string, value: number | undefined): Metric => {
    return { name, type: 'gauge', help, samples: [{ value }] }
  }
  const counter = (name: string, help: string, more = 0): Metric => {
    return { name, type: 'counter', help, samples: [{ value: readCounter(old, name) + more }] }
  }
  return [
    {
      name: 'moult_info',
      type: 'gauge',
      help: 'What runs by the launch record.',
      samples: [{ labels: info, value: 1 }],
    },
    {
      name: 'moult_state',
      type: 'gauge',
      help: 'The state that the agent is in.',
      samples: AGENT_STATES.map((each) => ({ labels: { state: each }, value: each === state ? 1 : 0 })),
    },
    counter('moult_checks_total', 'Polls for an update that came to an end.', counts.checks),
    counter('moult_check_failures_total', 'Polls that failed.', counts.checkFailures),
    {
      name: 'moult_last_check_error',
      type: 'gauge',
      help: 'The error that the last check failed with.',
      samples: check?.code === undefined ? [] : [{ labels: { code: check.code }, value: 1 }],
    },
    gauge('moult_last_check_timestamp_seconds', 'When the last poll ended.', seconds(check?.at)),
    gauge('moult_last_success_timestamp_seconds', 'When a poll last verified a manifest.', seconds(successOf(check))),
    counter('moult_updates_total', 'Versions that were put in place.', counts.updates),
    counter('moult_delta_updates_total', 'Of these, those that came as a delta.', counts.deltaUpdates),
    counter(
      'moult_download_failures_total',
      'Ways of getting an update that were given up for the next one.',
      counts.downloadFailures,
    ),
    counter('moult_rollbacks_total', 'Versions that were given up.', counts.rollbacks),
    gauge('moult_on_trial', 'Whether the version that runs is on probation.', record?.trial === undefined ? 0 : 1),
    gauge('moult_quarantined', 'Artifacts that are not tried again.', counts.quarantined ?? quarantined(settings, now)),
    gauge('moult_update_available', 'Whether a newer version is offered that is not in place.', isAvailable(check)),
    gauge('moult_manifest_sequence', 'Sequence of the last manifest that verified.', check?.sequence),
    gauge('moult_manifest_expires_timestamp_seconds', 'When that manifest expires.', seconds(check?.expires)),
  ]
}

/** Every sample names its agent and home: a collector refuses two files that have a sample in common. */
function formatMetrics({ root, home }: Settings, metrics: readonly Metric[]): string {
  const own = { name: root.name, home: home.path }
  const blocks = metrics.map(({ name, type, help, samples }) => {
    const lines = samples.flatMap(({ labels, value }) =>
      value === undefined ? [] : [`${name}{${formatLabels({ ...own, ...labels })}} ${value}\n`],
    )
    return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
  })
  return blocks.join('')
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')
}

/** One that cannot be read begins at 0 again, which a reader of counters expects of any restart. */
function readCounter(text: string, name: string): number {
  const digits = new RegExp(`^${name}\\{.*\\} ([0-9]{1,15})$`, 'm').exec(text)?.[1]
  return Number(digits ?? 0)
}

function seconds(date: string | undefined): number | undefined {
  const ms = date === undefined ? undefined : parseDate(date)
  return ms === undefined ? undefined : ms / 1000
}

function successOf(check: LastCheck | undefined): string | undefined {
  return check?.outcome === 'failed' ? check.lastSuccess : check?.at
}

function isAvailable(check: LastCheck | undefined): number {
  return check?.outcome === 'install' || check?.outcome === 'wait' ? 1 : 0
}

/** What a damaged or unreadable state hides is left out. */
function quarantined({ home, root }: Settings, now: number): number | undefined {
  try {
    return quarantinedAt(
      loadState(home, root, () => undefined),
      now,
    ).size
  } catch {
    return undefined
  }
}
