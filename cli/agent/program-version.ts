import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

import { MoultError } from '../../manifests/errors.ts'

const ANSWER_MS = 20_000
const VERSION = /\b\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?/

/**
 * A program that the command line names as the first version, by its path.
 * @throws MoultError ERR_USAGE_INVALID
 */
export function firstProgram(program: string, version: string | undefined): { path: string; version: string } {
  const path = resolve(program)
  if (!existsSync(path)) {
    throw new MoultError('ERR_USAGE_INVALID', `no such program: ${path}`, {
      hint: 'Name it by its path; or let `moult agent install` take the first version from the server.',
      details: { program: path },
    })
  }
  return { path, version: version ?? programVersion(path) }
}

/** The first semantic version in what `<program> --version` prints. */
function programVersion(path: string): string {
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
