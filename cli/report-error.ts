import { toMoultError } from '../manifests/errors.ts'

/** Prints an error: the message, its hint and code for people on stderr, one object on stdout with `--json`. */
export function reportError(cause: unknown, isJson: boolean): number {
  const error = toMoultError(cause)
  if (isJson) console.log(JSON.stringify({ error }))
  if (error.code === 'ERR_BUG') {
    const source = error.cause instanceof Error ? error.cause : error
    console.error(
      `error: ${source.stack ?? source.message}\nhint: This is a bug in Moult. Please report it with the lines above.`,
    )
  } else if (!isJson) {
    const { output } = error.details
    if (typeof output === 'string') console.error(output.trimEnd())
    console.error(`error: ${error.message}`)
    if (error.hint !== undefined) console.error(`hint: ${error.hint}`)
    console.error(`code: ${error.code}`)
  }
  return error.exitCode
}
