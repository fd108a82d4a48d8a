// `add-key`, `remove-key` and `rotate`: one draft, changed in steps.

import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import type { RootEdit } from '../../release/index.ts'
import { runCommand } from '../run-command.ts'
import { type ChangeFlags, roleOf, runChange, thresholdEdits, withChange } from './draft-options.ts'

interface RotateFlags extends ChangeFlags {
  remove: string[]
  add: string[]
}

export function registerRootChanges(root: Command): void {
  withChange(root.command('add-key'))
    .description('add a key to a role, in the draft of the next root')
    .argument('<key>', 'a public key file, or its base64')
    .action((key: string, flags: ChangeFlags) => runCommand(flags, () => addKey(key, flags)))
  withChange(root.command('remove-key'))
    .description('remove a key from a role')
    .argument('<id>', 'the id of the key, or its beginning')
    .action((id: string, flags: ChangeFlags) => runCommand(flags, () => removeKey(id, flags)))
  withChange(root.command('rotate'))
    .description('replace keys of a role in one step, or change its threshold or the expiry alone')
    .option('--remove <id>', 'a key that goes; may be repeated', collect, [])
    .option('--add <key>', 'a public key that comes; may be repeated', collect, [])
    .action((flags: RotateFlags) => runCommand(flags, () => rotate(flags)))
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

async function addKey(key: string, flags: ChangeFlags): Promise<void> {
  await runChange(flags, [await addition(key, flags), ...thresholdEdits(flags)])
}

async function removeKey(id: string, flags: ChangeFlags): Promise<void> {
  await runChange(flags, [{ kind: 'remove', role: roleOf(flags), id }, ...thresholdEdits(flags)])
}

async function rotate(flags: RotateFlags): Promise<void> {
  const removals = flags.remove.map((id): RootEdit => ({ kind: 'remove', role: roleOf(flags), id }))
  const additions: RootEdit[] = []
  for (const key of flags.add) additions.push(await addition(key, flags))
  const edits = [...removals, ...additions, ...thresholdEdits(flags)]
  if (edits.length === 0 && flags.expires === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', 'nothing to change: expected --remove, --add, --threshold or --expires')
  }
  await runChange(flags, edits)
}

async function addition(source: string, flags: ChangeFlags): Promise<RootEdit> {
  const { readPublicKey } = await import('../../release/index.ts')
  return { kind: 'add', role: roleOf(flags), key: await readPublicKey(source) }
}
