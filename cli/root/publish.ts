import type { Command } from 'commander'

import type { PublishRootResult } from '../../release/index.ts'
import { printResult } from '../print-result.ts'
import { showProgress } from '../progress.ts'
import { runCommand } from '../run-command.ts'
import { askPassphrase, PASSPHRASE_OPTION } from '../passphrase.ts'
import { takeEnvironment } from '../take-environment.ts'
import { reviewLines } from './root-lines.ts'

interface Flags {
  file?: string
  channel: string[]
  resign?: string
  keepManifest?: boolean
  baseUrl?: string
  passphraseFile?: string
  config?: string
  plan?: boolean
  json?: boolean
}

export function registerRootPublish(root: Command): void {
  root
    .command('publish')
    .description('make the complete draft the next root, and carry it to all agents')
    .option('--file <draft>', 'the draft; default: draft.root.json beside the roots of the project')
    .option('--resign <version>', 'the live version, which is yours, and gets signatures of the present release keys')
    .option('--keep-manifest', 'leave the live manifest to the next release')
    .option('--channel <name>', 'only this one; may be repeated', (name, before: string[]) => [...before, name], [])
    .option('--base-url <url>', 'what absolute URLs of the live release begin with')
    .option('--config <file>', 'default: moult.config.json, if there is one')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'say what would be published, and change nothing')
    .option('--json', 'print one JSON object')
    .action((flags: Flags) => runCommand(flags, (signal) => publish(flags, signal)))
}

async function publish(flags: Flags, signal: AbortSignal): Promise<void> {
  const { publishRoot } = await import('../../release/index.ts')
  const { channel, json, passphraseFile, ...options } = flags
  const progress = showProgress()
  try {
    const channels = channel.length === 0 ? undefined : channel
    const env = takeEnvironment()
    const passphrase = (path: string): Promise<string> => askPassphrase(path, { passphraseFile, env, signal })
    const result = await publishRoot({ ...options, channels }, { on: progress.on, signal, env, passphrase })
    progress.end()
    for (const warning of result.warnings) if (json !== true) console.error(`warning: ${warning}`)
    printResult(json, result, linesOf(result))
  } finally {
    progress.end()
  }
}

function linesOf(result: PublishRootResult): string[] {
  const { kind, root, file, channels, blocked, target } = result
  const heading = {
    published: `Published root ${root.version} of ${root.name}: ${file}`,
    planned: `Plan: root ${root.version} of ${root.name} in ${file}; nothing was written`,
    unchanged: `Already in place: root ${root.version} of ${root.name}, ${file}`,
  }[kind]
  const nowhere =
    target === undefined ? 'No manifest was changed; the next release carries the root to agents' : undefined
  return [
    ...(kind === 'planned' ? reviewLines(result) : []),
    heading,
    ...channels.map(({ channel, version, rollout, isSignedAnew }) => {
      const anew = isSignedAnew ? ', signed by the present release keys' : ''
      return `  ${channel}: ${version}${anew}; sequence ${rollout?.sequence}, good until ${rollout?.expires}`
    }),
    ...(nowhere === undefined || kind === 'unchanged' ? [] : [nowhere]),
    ...(blocked === undefined
      ? []
      : [`Blocked: ${blocked.message}`, ...(blocked.hint === undefined ? [] : [`  ${blocked.hint}`])]),
  ]
}
