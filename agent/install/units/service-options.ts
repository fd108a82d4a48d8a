export interface ServiceOptions {
  readonly name: string
  /** Absolute path of the home directory. */
  readonly home: string
  readonly user?: string | undefined
  /** Words that run the supervisor of an agent which knows nothing of updates; the launcher when absent. */
  readonly supervisor?: readonly string[] | undefined
  readonly args: readonly string[]
}

/** How long a supervisor waits from SIGTERM to SIGKILL: more than the 30 seconds that an agent may take to drain. */
export const STOP_SECONDS = 45

/** The words that the supervisor runs. */
export function commandOf({ home, supervisor = [`${home}/launch`], args }: ServiceOptions): string[] {
  return [...supervisor, ...args]
}
