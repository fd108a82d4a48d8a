import { isTimezone } from '../../manifests/index.ts'

/** The zone of this process, which TZ tells. */
export function ownTimezone(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  // With an empty TZ it is one that the runtime itself does not take, and the clock shows UTC.
  return isTimezone(timeZone) ? timeZone : 'UTC'
}
