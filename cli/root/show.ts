import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { requirementLines, reviewLines } from './root-lines.ts'
import { type PlaceOptions, withPlace } from './draft-options.ts'

interface ShowFlags {
  config?: string
  json?: boolean
}

export function registerRootShow(root: Command): void {
  root
    .command('show')
    .description('roles, keys, thresholds, expiry, and who has signed')
    .argument('[file]', 'a root document or a draft; default: the draft, else the newest root')
    .option('--config <file>', 'default: moult.config.json, if there is one')
    .option('--json', 'print one JSON object')
    .action((file: string | undefined, flags: ShowFlags) => runCommand(flags, () => show(file, flags)))
  withPlace(root.command('verify'))
    .description('check that the draft is complete; exit status 22 when signatures are missing')
    .action((flags: PlaceOptions) => runCommand(flags, () => verify(flags)))
}

async function show(file: string | undefined, { config, json }: ShowFlags): Promise<void> {
  const { showRoot } = await import('../../release/index.ts')
  const result = await showRoot({ file, config })
  for (const warning of result.warnings) if (json !== true) console.error(`warning: ${warning}`)
  printResult(json, result, [
    `${result.isDraft ? 'Draft' : 'Published'}: ${result.file}`,
    ...reviewLines(result),
    ...requirementLines(result.requirements),
  ])
}

async function verify({ file, previous, config, json }: PlaceOptions): Promise<void> {
  const { reviewDraft, verifyDraft } = await import('../../release/index.ts')
  const { review } = await reviewDraft({ file, previous, config })
  if (json !== true && !review.isComplete) for (const line of requirementLines(review.requirements)) console.error(line)
  const complete = await verifyDraft({ file, previous, config })
  printResult(json, { kind: 'complete', ...complete }, [
    `Complete: root ${complete.root.version} of ${complete.root.name} in ${complete.file}`,
    ...requirementLines(complete.requirements),
  ])
}
