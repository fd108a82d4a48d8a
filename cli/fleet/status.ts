import { type Command, Option } from 'commander'

import type { CsvTable } from '../../fleet/index.ts'
import { runCommand } from '../run-command.ts'
import { type LogOptions, readFleet, withLogOptions } from './log-options.ts'
import { screenOptions } from './screen.ts'

interface Options extends LogOptions {
  csv?: CsvTable
}

// Said again in fleet/report/csv.ts, which is loaded when it is needed.
const TABLES: readonly CsvTable[] = ['versions', 'releases', 'agents', 'events']

export function registerFleetStatus(fleet: Command): void {
  withLogOptions(fleet.command('status'))
    .description('versions, rates, stuck and silent agents, from access logs')
    .addOption(new Option('--csv <table>', 'print one table as CSV').choices(TABLES).conflicts('json'))
    .option('--json', 'print all figures as one JSON object')
    .action((logs: string[], options: Options) => runCommand(options, (signal) => status(logs, options, signal)))
}

async function status(logs: readonly string[], given: Options, signal: AbortSignal): Promise<void> {
  const { csvOf, statusText } = await import('../../fleet/index.ts')
  const { figures, options } = await readFleet(logs, given, Date.now(), signal)
  if (given.json === true) console.log(JSON.stringify(figures))
  else if (given.csv !== undefined) process.stdout.write(csvOf(figures, given.csv, options.names))
  else console.log(statusText(figures, { ...options, ...screenOptions(process.stdout, process.env) }))
}
