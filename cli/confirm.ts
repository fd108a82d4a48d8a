import { createInterface } from 'node:readline/promises'

import { MoultError } from '../manifests/errors.ts'

export interface Question {
  readonly text: string
  /** What a refusal means, such as `nothing was signed`. */
  readonly otherwise: string
}

/** @throws MoultError ERR_USAGE_INVALID where nobody can be asked and `--yes` does not say that somebody has looked */
export function assertAnswerable(isAgreed: boolean | undefined, otherwise: string): void {
  if (isAgreed === true || (process.stdin.isTTY && process.stderr.isTTY)) return
  throw new MoultError('ERR_USAGE_INVALID', `${otherwise}: there is no terminal to ask at`, {
    hint: 'Read what it brings about, and add --yes.',
  })
}

/**
 * Asks before something that cannot be taken back.
 * @throws MoultError ERR_USAGE_INVALID when the answer is anything but yes, or nobody can be asked
 */
export async function confirm(
  { text, otherwise }: Question,
  isAgreed: boolean | undefined,
  signal: AbortSignal,
): Promise<void> {
  assertAnswerable(isAgreed, otherwise)
  if (isAgreed === true) return
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${text} [y/N] `, { signal })
    if (/^y(?:es)?$/i.test(answer.trim())) return
  } finally {
    terminal.close()
  }
  throw new MoultError('ERR_USAGE_INVALID', `${otherwise}: the answer was not yes`)
}
