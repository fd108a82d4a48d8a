import { execFileSync } from 'node:child_process'

import { MoultError } from '../../manifests/errors.ts'

const ANSWER_MS = 20_000
const VERSION = /\b\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?/

/**
 * The first semantic version in what `<program> --version` prints.
 * @throws MoultError ERR_USAGE_INVALID
 */
export function programVersion(path: string): string {
  let cause: unknown
  try {
    const version = VERSION.exec(execFileSync(path, ['--version'], { encoding: 'utf8', timeout: ANSWER_MS }))?.[0]
    if (version !== undefined) return version
  } catch (error) {
    cause = error
  }
  const { code } = (cause ?? {}) as NodeJS.ErrnoException
  const reason = code === undefined ? 'no version in what --version prints' : `cannot be started (${code})`
  throw new MoultError('ERR_USAGE_INVALID', `${reason}: ${path}`, {
    hint: 'Name the program, and its version with --program-version if it cannot tell, e.g. 1.0.0.',
    details: { program: path },
    cause,
  })
}
