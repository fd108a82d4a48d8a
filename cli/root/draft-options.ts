import { type Command, Option } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import type { DraftResult, RootEdit } from '../../release/index.ts'
import { printResult } from '../print-result.ts'
import { reviewLines } from './root-lines.ts'

export const ROLES = ['root', 'release', 'rollout'] as const
export type Role = (typeof ROLES)[number]

/** What every command takes that looks at a draft. */
export interface PlaceOptions {
  file?: string
  previous?: string
  config?: string
  json?: boolean
}

/** What every command takes that changes one. */
export interface ChangeFlags extends PlaceOptions {
  role?: Role
  threshold?: string
  expires?: string
  plan?: boolean
}

export function withPlace(command: Command): Command {
  return command
    .option('--file <draft>', 'the draft; default: draft.root.json beside the roots of the project')
    .option('--previous <file>', 'the root before it; default: the newest beside the draft')
    .option('--config <file>', 'default: moult.config.json, if there is one')
    .option('--json', 'print one JSON object')
}

export function withChange(command: Command): Command {
  return withPlace(command)
    .addOption(new Option('--role <role>', 'the role that is changed').choices([...ROLES]))
    .option('--threshold <n>', 'how many keys of the role must sign from now on')
    .option('--expires <when>', 'until when the root is good: 5y, 400d or a date')
    .option('--plan', 'say what would change, and write nothing')
}

/** @throws MoultError ERR_USAGE_INVALID */
export function roleOf({ role }: ChangeFlags): Role {
  if (role !== undefined) return role
  throw new MoultError('ERR_USAGE_INVALID', '--role: expected root, release or rollout')
}

export function thresholdEdits(flags: ChangeFlags): RootEdit[] {
  if (flags.threshold === undefined) return []
  return [{ kind: 'threshold', role: roleOf(flags), threshold: countOf('--threshold', flags.threshold) }]
}

/** @throws MoultError ERR_USAGE_INVALID */
export function countOf(name: string, text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new MoultError('ERR_USAGE_INVALID', `${name}: expected a whole number of at least 1, got ${text.slice(0, 20)}`)
}

/** Changes the draft and tells what came of it. */
export async function runChange(flags: ChangeFlags, edits: readonly RootEdit[]): Promise<void> {
  const { changeRoot } = await import('../../release/index.ts')
  const { file, previous, config, expires, plan } = flags
  printDraft(flags, await changeRoot({ file, previous, config, expires, plan, edits }))
}

export function printDraft({ json }: PlaceOptions, result: DraftResult): void {
  for (const warning of result.warnings) console.error(`warning: ${warning}`)
  const { kind, file, dropped } = result
  if (kind === 'drafted' && dropped > 0 && json !== true)
    console.error(
      `note: ${dropped === 1 ? '1 signature was' : `${dropped} signatures were`} dropped: this change is not covered by them`,
    )
  const [first] = result.requirements
  const next = first === undefined ? '' : `Next: \`moult root sign --key <file>\`, ${neededText(result)}`
  printResult(json, result, [
    ...reviewLines(result),
    kind === 'planned' ? `Nothing was written to ${file}` : `Wrote ${file}`,
    ...(kind === 'planned' ? [] : [next]),
  ])
}

function neededText({ requirements }: DraftResult): string {
  return `by ${requirements.map(({ root, threshold }) => `${threshold} of the root keys of root ${root}`).join(' and ')}`
}
