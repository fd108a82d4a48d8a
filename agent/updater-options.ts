import type { Flags } from '../manifests/index.ts'
import type { AgentEvent } from './events/events.ts'
import type { SettingsFile } from './settings/settings-file.ts'

export interface UpdaterOptions {
  /** The version that runs, as it was built in. */
  version: string
  /** The home directory; `MOULT_HOME`, which the launcher sets, when absent. Without one, updates are off. */
  home?: string | undefined
  /** Settings that win over `agent.json` and the environment. */
  settings?: Partial<SettingsFile>
  /** Healthy when true; asked repeatedly during a probation. A check that throws or hangs counts as unhealthy. */
  health?: () => boolean | Promise<boolean>
  /** Lets the agent finish its work before a restart, within the setting `drainTimeout`. */
  beforeRestart?: () => void | Promise<void>
  /** Starts what the launch record names; exits with code 100 when absent. */
  restart?: () => void | Promise<void>
  /** Takes the events; without it, all but details are lines on standard error. */
  onEvent?: (event: AgentEvent) => void
  /** Takes the feature flags: at the start, when there are any, and when they have changed. */
  onFlags?: (flags: Flags) => void
  /** Waits this long before the first poll instead of a random part of the interval: milliseconds. */
  firstPollMs?: number
  env?: Readonly<Record<string, string | undefined>>
  clock?: () => number
  random?: () => number
}
