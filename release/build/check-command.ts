import { MoultError } from '../../manifests/index.ts'
import type { BuildConfig } from '../config.ts'

/** What a shell would act on, and what a program gets as it stands where there is none. */
const SHELL_SYNTAX = /&&|\|\|?|[;<>`"']|\$(?:[A-Za-z_]\w*|[({])/

/** Refuses a command that needs a shell and has none. @throws MoultError ERR_CONFIG_INVALID */
export function checkCommand(build: BuildConfig): void {
  if (build.type !== 'command') return
  const { command, shell } = build
  if (typeof command !== 'string') {
    if (shell !== true) return
    throw refuse('expected a string because shell is true, got an array', 'Leave out `shell`, or give one string.')
  }
  const found = shell === true ? undefined : SHELL_SYNTAX.exec(command)?.[0]
  if (found === undefined) return
  throw refuse(
    `expected no shell syntax, because no shell runs it, got ${found}`,
    'Add "shell": true, or give the program and its arguments as an array: no shell changes those.',
  )
}

function refuse(reason: string, hint: string): MoultError {
  return new MoultError('ERR_CONFIG_INVALID', `build.command: ${reason}`, { hint, details: { path: 'build.command' } })
}
