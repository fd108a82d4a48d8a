// The supervisor as a release of its own: started by the launcher of a second home, `moult agent run` keeps that home up
// to date beside the one of the program. For a new supervisor the program is stopped as for a new program, and the
// launcher starts both.

import { realpathSync } from 'node:fs'

import { EXIT_UPDATED, MoultError } from '../manifests/index.ts'
import type { AgentEvent } from './events/events.ts'
import { supervise, type SuperviseOptions } from './supervise.ts'
import { Updater } from './updater.ts'

/** What the launcher has told this process about itself. */
export interface OwnLaunch {
  readonly home: string
  readonly version: string
}

export interface SelfUpdateOptions extends SuperviseOptions {
  readonly own: OwnLaunch
  /** Takes the events of the supervisor's own updates. */
  readonly onOwnEvent: (event: AgentEvent) => void
}

/** How often one version of the program may be started during the supervisor's own probation. */
const STARTS_MAX = 3
/** Of an operator for the program: they would make the supervisor look for its own releases where the program's are. */
const PROGRAMS_VARIABLE = /^UPDATE_/

/**
 * @param supervised home of the program
 * @returns undefined unless this process was started by a launcher
 * @throws MoultError ERR_USAGE_INVALID when that is the launcher of the program's own home
 */
export function ownLaunchOf(env: SuperviseOptions['env'], supervised: string): OwnLaunch | undefined {
  const { MOULT_LAUNCHER, MOULT_HOME: home, MOULT_VERSION: version } = env
  if (MOULT_LAUNCHER === undefined || home === undefined || version === undefined) return undefined
  if (physical(home) !== physical(supervised)) return { home, version }
  throw new MoultError(
    'ERR_USAGE_INVALID',
    `the supervisor was started from the home that it is to supervise: ${home}`,
    {
      hint: 'A supervisor that updates itself has a home of its own; name that of the program with --home.',
    },
  )
}

/**
 * Supervises, and updates itself.
 * @returns the exit status for this process: 100 when another version of it is to be started
 * @throws MoultError as `supervise` does
 */
export async function superviseAndUpdateSelf(options: SelfUpdateOptions): Promise<number> {
  const { own, onOwnEvent, onEvent, signal, env } = options
  const stop = new AbortController()
  const program = { version: '', starts: 0, isUp: false }
  let isReplaced = false
  const supervising = supervise({
    ...options,
    signal: AbortSignal.any([signal, stop.signal]),
    onEvent: (event) => {
      if (event.kind === 'program-started') {
        program.starts = event.version === program.version ? program.starts + 1 : 1
        program.version = event.version
      }
      if (event.kind === 'program-started' || event.kind === 'program-exited')
        program.isUp = event.kind === 'program-started'
      onEvent(event)
    },
  })
  const updater = new Updater({
    version: own.version,
    home: own.home,
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !PROGRAMS_VARIABLE.test(name))),
    // What a supervisor is for: its program is up. One that crashes in a loop is up at moments, too.
    health: () => program.isUp && program.starts <= STARTS_MAX,
    onEvent: onOwnEvent,
    restart: () => {
      isReplaced = true
      stop.abort()
    },
  })
  updater.start()
  try {
    // However long the program takes to stop: a second one beside it would be worse than waiting.
    const status = await supervising
    return isReplaced && !signal.aborted ? EXIT_UPDATED : status
  } finally {
    await updater.stop()
  }
}

function physical(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
