import { type Command, InvalidArgumentError } from 'commander'

import { runCommand } from '../run-command.ts'
import { historyText } from './history-text.ts'
import { type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

interface Options extends HomeOptions {
  limit: number
}

const LIMIT_DEFAULT = 50

export function registerAgentHistory(agent: Command): void {
  withHomeOptions(agent.command('history'))
    .description('what happened here, the newest last: updates, trials, rollbacks, failures; asks no server')
    .option('--limit <n>', 'how many lines at most', parseLimit, LIMIT_DEFAULT)
    .action((options: Options) => runCommand(options, () => history(options)))
}

async function history(options: Options): Promise<void> {
  const { readHistory } = await import('../../agent/index.ts')
  const { home } = await settingsOf(options)
  const entries = readHistory(home, options.limit)
  // One object a line, as the file has it, for tools that read lines.
  for (const entry of entries) console.log(options.json === true ? JSON.stringify(entry) : historyText(entry))
  if (entries.length === 0 && options.json !== true) console.error('nothing has happened yet')
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError('expected a whole number from 1 on')
  return limit
}
