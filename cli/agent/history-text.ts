import type { HistoryEntry } from '../../agent/index.ts'
import { formatSize } from '../print-result.ts'

/** A line of the history for people: when, what, which version, and whatever else it says. */
export function historyText(entry: HistoryEntry): string {
  const { time, kind, version, previous, to, reason, source, code, message, bytes } = entry
  const durationMs = entry.duration_ms
  const more = [
    previous === undefined ? '' : `from ${previous}`,
    to === undefined ? '' : `back to ${to}`,
    entry.try === undefined ? '' : `try ${entry.try}`,
    reason ?? '',
    source ?? '',
    bytes === undefined ? '' : formatSize(bytes),
    durationMs === undefined ? '' : `${(durationMs / 1000).toFixed(1)} s`,
    message ?? '',
    code === undefined ? '' : `[${code}]`,
  ]
  return [time, kind.padEnd(15), (version ?? '-').padEnd(12), more.filter((text) => text !== '').join(', ')]
    .join('  ')
    .trimEnd()
}
