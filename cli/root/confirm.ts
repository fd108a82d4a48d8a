import { createInterface } from 'node:readline/promises'

import { MoultError } from '../../manifests/errors.ts'

/**
 * Asks before something is signed. Where nobody can answer, `--yes` has to say that somebody has looked.
 * @throws MoultError ERR_USAGE_INVALID when the answer is anything but yes, or nobody can be asked
 */
export async function confirmSigning(
  question: string,
  isAgreed: boolean | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (isAgreed === true) return
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new MoultError('ERR_USAGE_INVALID', 'nothing was signed: there is no terminal to ask at', {
      hint: 'Read what it brings about, and add --yes.',
    })
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal })
    if (/^y(?:es)?$/i.test(answer.trim())) return
  } finally {
    terminal.close()
  }
  throw new MoultError('ERR_USAGE_INVALID', 'nothing was signed: the answer was not yes')
}
