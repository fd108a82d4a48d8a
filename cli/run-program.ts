import { type Command, CommanderError } from 'commander'

import { MoultError } from '../manifests/errors.ts'
import { reportError } from './report-error.ts'

/** Parses and runs; turns the command parser's own errors into exit status 2, and asking for help into 0. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  // `moult verify --json | head -1`: the reader has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      process.exitCode = reportError(error, argv.includes('--json'))
      return
    }
    if (error.exitCode === 0) return
    process.exitCode = 2
    // The parser has told people already. The bare `moult` shows its help.
    if (argv.includes('--json')) {
      const message = error.message.replace(/^error: /, '')
      console.log(JSON.stringify({ error: new MoultError('ERR_USAGE_INVALID', message) }))
    }
  }
}
