const RFC3339_UTC = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,3})?Z$/

/**
 * Milliseconds since 1970 of an RFC 3339 date in UTC (`Z`), or undefined when the text is none or the day does not
 * exist. `Date.parse` alone would take 30 February for 1 March.
 */
export function parseDate(text: string): number | undefined {
  const parts = RFC3339_UTC.exec(text)
  if (parts === null) return undefined
  const time = Date.parse(text)
  if (Number.isNaN(time)) return undefined
  return new Date(time).toISOString().slice(0, 19) === text.slice(0, 19) ? time : undefined
}

/** RFC 3339 in UTC with whole seconds, e.g. `2026-11-21T02:00:00Z`. */
export function formatDate(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`
}
