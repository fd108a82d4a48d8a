import type { Command } from 'commander'

import { MoultError } from '../manifests/errors.ts'
import type { PruneOptions, PruneResult } from '../release/index.ts'
import { assertAnswerable, confirm } from './confirm.ts'
import { formatSize, printResult } from './print-result.ts'
import { showProgress } from './progress.ts'
import { runCommand } from './run-command.ts'
import { takeEnvironment } from './take-environment.ts'

interface Options {
  keep?: string
  olderThan?: string
  config?: string
  plan?: boolean
  yes?: boolean
  json?: boolean
}

const OTHERWISE = 'nothing was removed'

export function registerPrune(program: Command): void {
  program
    .command('prune')
    .description('remove old releases and their artifacts, but nothing that a live manifest needs')
    .option('--keep <n>', 'how many releases of each channel stay, the live one among them; default 10')
    .option('--older-than <duration>', 'keep what was released later than so long ago, too, e.g. 30d')
    .option('--config <file>', 'default: moult.config.json')
    .option('--plan', 'say what would be removed, and why; removes nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, (signal) => runPrune(options, signal)))
}

async function runPrune({ yes, json, plan, keep, ...rest }: Options, signal: AbortSignal): Promise<void> {
  if (plan !== true) assertAnswerable(yes, OTHERWISE)
  const options: PruneOptions = { ...rest, keep: keep === undefined ? undefined : numberOf(keep) }
  const env = takeEnvironment()
  const { prune } = await import('../release/index.ts')
  const progress = showProgress()
  try {
    const run = (more: PruneOptions): Promise<PruneResult> =>
      prune({ ...options, ...more }, { on: progress.on, signal, env })
    const result = plan === true || yes === true ? await run({ plan }) : await askAndRun(run, signal)
    progress.end()
    printResult(json, result, plan === true ? planLines(result) : doneLines(result))
  } finally {
    progress.end()
  }
}

/** The lock is not held while a person thinks: what is removed is what was shown and is still unneeded then. */
async function askAndRun(run: (more: PruneOptions) => Promise<PruneResult>, signal: AbortSignal): Promise<PruneResult> {
  const planned = await run({ plan: true })
  const going = removed(planned)
  if (going.length === 0) return { ...planned, kind: 'unchanged' }
  for (const line of fileLines(going)) console.error(line)
  await confirm({ text: `Remove ${amountOf(going)} from ${planned.target}?`, otherwise: OTHERWISE }, undefined, signal)
  return run({ agreed: going.map(({ path }) => path) })
}

function planLines(result: PruneResult): string[] {
  const { name, target, files } = result
  return [`Plan for ${name} in ${target}: ${amountOf(removed(result))} would be removed`, ...fileLines(files)]
}

function doneLines(result: PruneResult): string[] {
  const { kind, target, files } = result
  const going = removed(result)
  const unknown = files.filter(({ action }) => action === 'unknown').length
  return [
    kind === 'pruned' ? `Removed ${amountOf(going)} from ${target}` : `Nothing to remove from ${target}`,
    ...fileLines(going),
    ...(unknown === 0 ? [] : [`Left ${unknown} that are not understood; \`moult prune --plan\` names them`]),
  ]
}

function fileLines(files: PruneResult['files']): string[] {
  const width = Math.max(...files.map(({ path }) => path.length))
  return files.map(
    ({ action, path, size, why }) =>
      `  ${action.padEnd(7)} ${path.padEnd(width)}  ${formatSize(size).padStart(9)}  ${why}`,
  )
}

function removed({ files }: PruneResult): PruneResult['files'] {
  return files.filter(({ action }) => action === 'remove')
}

function amountOf(files: PruneResult['files']): string {
  const size = formatSize(files.reduce((sum, file) => sum + file.size, 0))
  return `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${size}`
}

function numberOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new MoultError('ERR_USAGE_INVALID', `--keep: expected a whole number, got ${JSON.stringify(text)}`)
}
