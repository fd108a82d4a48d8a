import { parseDate } from './dates.ts'

/** Below this share of its life, a statement that a job should have renewed was probably not. */
const LEFT_MIN_SHARE = 0.25

/** Whether less than a quarter of a statement's life is left, or none. @param now milliseconds since 1970 */
export function isEndingSoon({ issued, expires }: { issued: string; expires: string }, now: number): boolean {
  const endMs = parseDate(expires) ?? 0
  return endMs - now < (endMs - (parseDate(issued) ?? 0)) * LEFT_MIN_SHARE
}
