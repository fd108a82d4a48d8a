import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'

import { runCommand } from '../run-command.ts'
import { type LogOptions, parseSpan, readFleet, withLogOptions } from './log-options.ts'
import { screenOptions } from './screen.ts'

interface Options extends LogOptions {
  every: number
}

const EVERY_MS = 60_000
const CLEAR = '\u001b[H\u001b[2J\u001b[3J'

export function registerFleetWatch(fleet: Command): void {
  withLogOptions(fleet.command('watch'))
    .description('the status again and again, until it is stopped')
    .option('--every <duration>', 'how long to wait between two readings; default: 1m', parseSpan, EVERY_MS)
    .action((logs: string[], options: Options) => runCommand(options, (signal) => watch(logs, options, signal)))
}

/** Ends with 0 when it is stopped: that is how watching ends. */
async function watch(logs: readonly string[], given: Options, signal: AbortSignal): Promise<void> {
  const { statusText } = await import('../../fleet/index.ts')
  for (let count = 0; !signal.aborted; count++) {
    try {
      const { figures, options } = await readFleet(logs, given, Date.now(), signal)
      const screen = screenOptions(process.stdout, process.env)
      const text = statusText(figures, { ...options, ...screen })
      // Elsewhere than on a terminal each reading follows the one before.
      console.log(`${process.stdout.isTTY ? CLEAR : count > 0 ? '\n' : ''}${text}`)
    } catch (error) {
      if (signal.aborted) return
      // A log that is being rotated is there again the next time. At first it may be a name that is wrong.
      if (count === 0) throw error
      console.error(`cannot read the logs now: ${error instanceof Error ? error.message : String(error)}`)
    }
    await sleep(given.every, undefined, { signal }).catch(() => undefined)
  }
}
