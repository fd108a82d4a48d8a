import type * as ReleaseSide from '../../release/index.ts'
import { describeRelease } from '../describe-release.ts'
import { askPassphrase } from '../passphrase.ts'
import { printResult } from '../print-result.ts'
import { showProgress } from '../progress.ts'
import { takeEnvironment } from '../take-environment.ts'

/** Work of the release side with the rollout key: progress while it runs. */
export async function withRelease<T>(
  { passphraseFile }: { passphraseFile?: string },
  signal: AbortSignal,
  work: (side: typeof ReleaseSide, deps: ReleaseSide.ReleaseDeps) => Promise<T>,
): Promise<T> {
  const env = takeEnvironment()
  const side = await import('../../release/index.ts')
  const progress = showProgress()
  try {
    const answers = new Map<string, Promise<string>>()
    // A plan and the run after it need the same key: nobody is asked twice.
    const passphrase = (path: string): Promise<string> => {
      const answer = answers.get(path) ?? askPassphrase(path, { passphraseFile, env, signal })
      answers.set(path, answer)
      return answer
    }
    return await work(side, { on: progress.on, signal, env, passphrase })
  } finally {
    progress.end()
  }
}

export function printRollout(result: ReleaseSide.ReleaseResult, isJson: boolean | undefined): void {
  printResult(isJson, result, describeRelease(result))
}

/** As people copy it from a tag. */
export function plainVersion(text: string): string {
  return text.replace(/^v(?=\d)/, '')
}
