import { resolve } from 'node:path'
import type { Command } from 'commander'

import type { AgentEvent, Settings, SettingsFile, UpdateDeps } from '../../agent/index.ts'
import { MoultError } from '../../manifests/errors.ts'

/** What every agent command takes. */
export interface HomeOptions {
  home?: string
  server?: string
  channel?: string
  json?: boolean
}

export function withHomeOptions(command: Command): Command {
  return command
    .option('--home <dir>', 'the directory that the updater owns; default: MOULT_HOME')
    .option('--server <url>', 'update server; default: of the settings')
    .option('--channel <name>', 'line of releases; default: of the settings')
    .option('--json', 'print JSON')
}

/** @throws MoultError ERR_USAGE_INVALID when no home is given */
export function homeOf(options: HomeOptions): string {
  const home = options.home ?? process.env['MOULT_HOME']
  if (home !== undefined && home !== '') return resolve(home)
  throw new MoultError('ERR_USAGE_INVALID', 'no home directory is given', {
    hint: 'Name it with --home <dir>, or set MOULT_HOME.',
  })
}

export function overridesOf({ server, channel }: HomeOptions): Partial<SettingsFile> {
  return { ...(server === undefined ? {} : { server }), ...(channel === undefined ? {} : { channel }) }
}

/** Settings of the home that a command names. */
export async function settingsOf(options: HomeOptions): Promise<Settings> {
  const { loadSettings } = await import('../../agent/index.ts')
  return loadSettings(homeOf(options), process.env, overridesOf(options))
}

/**
 * Events as they come: lines for people on stderr, as stdout is for the result; with `isStream` JSON lines on stdout.
 * @param of whose events they are, where there are those of two
 */
export async function depsFor(isStream: boolean, signal: AbortSignal, of?: string): Promise<UpdateDeps> {
  const { eventJson, eventText, isDetail } = await import('../../agent/index.ts')
  const emit = (event: AgentEvent): void => {
    if (isStream) {
      const line = eventJson(event, Date.now())
      console.log(of === undefined ? line : JSON.stringify({ of, ...(JSON.parse(line) as object) }))
    } else if (!isDetail(event) || process.stderr.isTTY) {
      console.error(of === undefined ? eventText(event) : `${of}: ${eventText(event)}`)
    }
  }
  return { clock: Date.now, emit, signal }
}
