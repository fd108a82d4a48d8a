import type { HistoryEntry, HistoryEvent, HistoryResult } from '../release/index.ts'

const KEY_SHORT_CHARS = 12
const MEMBER_MAX_CHARS = 64

/** A line a manifest, the newest first. All of it is of patterns that hold nothing a terminal obeys. */
export function historyLines({ entries, end, channel }: HistoryResult): string[] {
  const cells = entries.map((entry) => [
    String(entry.sequence),
    entry.issued,
    eventsText(entry),
    keysText(entry.signed.release),
    keysText(entry.signed.rollout),
  ])
  const rows = [['sequence', 'issued', 'what happened', 'release by', 'rollout by'], ...cells]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const oldest = entries.at(-1)?.sequence
  if (end.kind === 'first') lines.push(`The history of ${channel} begins at sequence ${oldest}.`)
  if (end.kind === 'limit') lines.push(`There is more before sequence ${oldest}.`)
  return lines
}

function eventsText({ events, version, issued }: HistoryEntry): string {
  return events.length === 0 ? `not known, at ${version}` : events.map((event) => eventText(event, issued)).join(', ')
}

function eventText(event: HistoryEvent, issued: string): string {
  switch (event.kind) {
    case 'released':
      return `released ${event.version} at ${sharesText(event.stages, issued)}`
    case 'rolled-back':
      return `rolled back to ${event.version} at ${sharesText(event.stages, issued)}`
    case 'widened':
    case 'narrowed':
      return `${event.kind} ${event.from} -> ${event.to} %`
    case 'root':
      return `root ${event.from} -> ${event.to}`
    case 'changed':
      // A name of another day: printable, and as long as its author liked.
      return `${event.member.slice(0, MEMBER_MAX_CHARS)} changed`
    case 'signed-anew':
      return 'release signed anew'
    case 'paused':
    case 'resumed':
    case 'refreshed':
      return event.kind
  }
}

function sharesText(stages: Extract<HistoryEvent, { stages: unknown }>['stages'], issued: string): string {
  const inOrder = stages.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
  // Before the first stage nobody has it.
  const before = Date.parse(inOrder[0]?.at ?? issued) > Date.parse(issued) ? [0] : []
  return `${[...before, ...inOrder.map(({ percent }) => percent)].join(' -> ')} %`
}

function keysText(keys: readonly string[]): string {
  return keys.map((key) => key.slice(0, KEY_SHORT_CHARS)).join(' ')
}
