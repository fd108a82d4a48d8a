import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type SourceOptions, withSourceOptions } from './log-options.ts'

interface Options extends SourceOptions {
  parquet: string
}

export function registerFleetExport(fleet: Command): void {
  withSourceOptions(fleet.command('export'))
    .description('polls and events as Parquet, for questions over months; needs the package @duckdb/node-api')
    .requiredOption('--parquet <dir>', 'the folder to write part-00001.parquet and so on into')
    .option('--json', 'print what was written as a JSON object')
    .action((logs: string[], options: Options) => runCommand(options, () => exportLogs(logs, options)))
}

async function exportLogs(logs: readonly string[], given: Options): Promise<void> {
  const { writeParquet } = await import('../../fleet/index.ts')
  const { since: sinceMs, until: untilMs, format, parquet } = given
  const { counts, rows, files } = await writeParquet(logs, parquet, { sinceMs, untilMs, format })
  const result = { rows, files, lines: counts.lines, polls: counts.polls, malformed: counts.malformed }
  printResult(given.json, result, [`Wrote ${rows} rows into ${files.length} files, of ${counts.lines} lines`])
}
