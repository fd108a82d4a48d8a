import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import type { RoleKeys } from '../../release/index.ts'
import { runCommand } from '../run-command.ts'
import { countOf, printDraft } from './draft-options.ts'

interface Options {
  name: string
  keys: string
  threshold?: string
  releaseKeys?: string
  releaseThreshold?: string
  rolloutKeys?: string
  rolloutThreshold?: string
  expires?: string
  out?: string
  plan?: boolean
  json?: boolean
}

export function registerRootInit(root: Command): void {
  root
    .command('init')
    .description('draft root 1 from public keys')
    .requiredOption('--name <name>', 'name of the agent; part of every signed statement')
    .requiredOption('--keys <list>', 'root keys: public key files or base64, with commas between')
    .option('--threshold <n>', 'how many root keys must sign a root; default: more than half')
    .option('--release-keys <list>', 'default: the root keys')
    .option('--release-threshold <n>', 'default: 1')
    .option('--rollout-keys <list>', 'default: the release keys')
    .option('--rollout-threshold <n>', 'default: 1')
    .option('--expires <when>', 'until when the root is good: 5y, 400d or a date', '5y')
    .option('--out <draft>', 'default: trust/draft.root.json')
    .option('--plan', 'say what the root would be, and write nothing')
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, () => init(options)))
}

async function init(options: Options): Promise<void> {
  const { beginRoot } = await import('../../release/index.ts')
  const rootKeys = await readKeys('--keys', options.keys)
  const releaseKeys =
    options.releaseKeys === undefined ? rootKeys : await readKeys('--release-keys', options.releaseKeys)
  const rolloutKeys =
    options.rolloutKeys === undefined ? releaseKeys : await readKeys('--rollout-keys', options.rolloutKeys)
  const majority = String(Math.floor(rootKeys.length / 2) + 1)
  const roles: Record<'root' | 'release' | 'rollout', RoleKeys> = {
    root: { keys: rootKeys, threshold: countOf('--threshold', options.threshold ?? majority) },
    release: { keys: releaseKeys, threshold: countOf('--release-threshold', options.releaseThreshold ?? '1') },
    rollout: { keys: rolloutKeys, threshold: countOf('--rollout-threshold', options.rolloutThreshold ?? '1') },
  }
  const { name, expires, out: file, plan } = options
  printDraft(options, await beginRoot({ name, roles, expires, file, plan }))
}

async function readKeys(option: string, list: string): Promise<Uint8Array[]> {
  const { readPublicKey } = await import('../../release/index.ts')
  const sources = list.split(',').map((source) => source.trim())
  if (sources.includes('')) throw new MoultError('ERR_USAGE_INVALID', `${option}: an empty entry in ${list}`)
  return Promise.all(sources.map(readPublicKey))
}
