import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

import { type JsonValue, MoultError, parseStrictJson, shape, toMoultError } from '../manifests/index.ts'
import { checkCommand } from './build/check-command.ts'
import { type Config, CONFIG_FILE, configShape } from './config.ts'

export interface LoadedConfig {
  readonly config: Config
  /** Folder of the file: every path in it is relative to it. */
  readonly dir: string
}

/** @throws MoultError ERR_CONFIG_MISSING or ERR_CONFIG_INVALID */
export async function readConfig(file: string = CONFIG_FILE): Promise<LoadedConfig> {
  const path = resolve(file)
  const value = parseJson(await readText(path, file), file)
  try {
    const config = configShape.check(value, '')
    checkCommand(config.build)
    return { config, dir: dirname(path) }
  } catch (cause) {
    if (!(cause instanceof shape.ShapeMismatch)) throw cause
    throw new MoultError('ERR_CONFIG_INVALID', `${cause.message}: ${file}`, {
      ...(cause.nearest === undefined ? {} : { hint: `Did you mean "${cause.nearest}"?` }),
      details: { file, ...cause.details },
      cause,
    })
  }
}

async function readText(path: string, file: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new MoultError('ERR_CONFIG_MISSING', `${missing ? 'no such file' : 'cannot be read'}: ${file}`, {
      hint: missing
        ? 'Start a project with `moult init`, or name the file with --config.'
        : 'Check that it is a readable file.',
      details: { file },
      cause,
    })
  }
}

/** The strict profile of the signed documents: it refuses repeated keys and always knows the place of a fault. */
function parseJson(bytes: Buffer, file: string): JsonValue {
  try {
    return parseStrictJson(bytes)
  } catch (cause) {
    const { message, details } = toMoultError(cause)
    const before = bytes
      .toString('utf8')
      .slice(0, Number(details['offset'] ?? 0))
      .split('\n')
    const [line, column] = [before.length, (before.at(-1)?.length ?? 0) + 1]
    const reason = message.replace(/ at offset \d+$/, '')
    throw new MoultError('ERR_CONFIG_INVALID', `${reason}: ${file}:${line}:${column}`, {
      hint: 'Comments and a comma after the last member are not JSON.',
      details: { file, line, column },
      cause,
    })
  }
}
