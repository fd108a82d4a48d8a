// The real launcher, run by the shells that systems have as sh.

import { spawnSync } from 'node:child_process'
import { lstatSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Operation } from './operations.ts'
import { operationsOf, trace } from './system-calls.ts'

const LAUNCHER = fileURLToPath(new URL('../../agent/launcher/launch.sh', import.meta.url))
export const SHELLS: readonly (readonly string[])[] = [['dash'], ['busybox', 'sh']]

/** As a link: from there it is MOULT_HOME that names the home. */
export function linkIn(root: string): string {
  const link = join(root, 'launch')
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync(LAUNCHER, link)
  return link
}

/**
 * Starts what each home would start, one after the other.
 * @returns the line that each program said, by home; empty where nothing could be started
 */
export function launchByShell(root: string, homes: readonly string[], shell: readonly string[]): Map<string, string> {
  const loop = 'for home; do said=$(MOULT_HOME=$home $SHELL_WORDS "$LAUNCH" 2>/dev/null); echo "$said"; done'
  const env = { ...plainEnvironment(), SHELL_WORDS: shell.join(' '), LAUNCH: linkIn(root) }
  const { stdout } = spawnSync('sh', ['-c', loop, 'sh', ...homes], { encoding: 'utf8', env })
  const lines = stdout.split('\n')
  return new Map(homes.map((home, index) => [home, lines[index] ?? '']))
}

/** What one start by the shell changes below `root`. */
export async function recordShell(root: string, home: string, log: string): Promise<Operation[]> {
  const { calls, code, stderr } = await trace(['dash', linkIn(join(root, '..'))], {
    log,
    env: { ...plainEnvironment(), MOULT_HOME: home },
  })
  if (code !== 0) throw new Error(`the launcher ended with status ${code}: ${stderr}`)
  return operationsOf(calls, root)
}

function plainEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin' }
}
