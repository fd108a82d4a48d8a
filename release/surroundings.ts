import { fileSystemError, isSystemError } from './file-system-error.ts'
import type { ReleaseEvent, StepName } from './events.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What a flow takes from the world around it. Every part has a default. */
export interface ReleaseDeps {
  /** Milliseconds since 1970; default: the clock of this machine. */
  readonly now?: () => number
  /** Gets the progress. The library itself prints nothing. */
  readonly on?: (event: ReleaseEvent) => void
  /** Stops builds and transfers. What is published already stays whole. */
  readonly signal?: AbortSignal
  /** Default: the environment of this process. */
  readonly env?: Environment
  /** Asks for the passphrase of an encrypted key file; default: the variable MOULT_PASSPHRASE of `env`. */
  readonly passphrase?: (path: string) => Promise<string>
}

export interface Surroundings {
  readonly now: () => number
  readonly on: (event: ReleaseEvent) => void
  readonly signal: AbortSignal
  readonly env: Environment
  readonly passphrase?: (path: string) => Promise<string>
}

export function surroundingsOf(deps: ReleaseDeps): Surroundings {
  return {
    now: deps.now ?? Date.now,
    on: deps.on ?? (() => {}),
    signal: deps.signal ?? new AbortController().signal,
    env: deps.env ?? process.env,
    ...(deps.passphrase === undefined ? {} : { passphrase: deps.passphrase }),
  }
}

/**
 * Tells the listener when a step begins and when it has succeeded.
 * @throws MoultError ERR_PUBLISH_FAILED for what the file system refuses, or what the step throws
 */
export async function step<T>(
  around: Pick<Surroundings, 'on' | 'signal'>,
  name: StepName,
  subject: string,
  work: () => Promise<T>,
): Promise<T> {
  around.signal.throwIfAborted()
  around.on({ kind: 'step', step: name, state: 'started', subject })
  try {
    const result = await work()
    around.on({ kind: 'step', step: name, state: 'done', subject })
    return result
  } catch (error) {
    throw isSystemError(error) ? fileSystemError(error, `${name} ${subject}`) : error
  }
}
