import { resolve } from 'node:path'
import type { Command } from 'commander'

import { isMoultError, MoultError } from '../manifests/errors.ts'
import type { LoadedConfig } from '../release/index.ts'
import { formatSize, printResult } from './print-result.ts'
import { showProgress } from './progress.ts'
import { runCommand } from './run-command.ts'

interface Options {
  root?: string
  channel?: string
  baseUrl?: string
  config?: string
  json?: boolean
}

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('check everything published, as an agent would')
    .argument('[place]', 'a URL or a folder; default: where the configuration publishes')
    .option('--root <file>', 'the root document to trust; default: of the configuration')
    .option('--channel <name>', 'default: of the configuration, or stable')
    .option('--base-url <url>', 'for a folder: what its absolute URLs begin with')
    .option('--config <file>', 'default: moult.config.json')
    .option('--json', 'print one JSON object')
    .action((place: string | undefined, options: Options) =>
      runCommand(options, (signal) => runVerify(place, options, signal)),
    )
}

async function runVerify(place: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  const { DEFAULT_PUBLISH_PATH, DEFAULT_ROOT_FILE, readConfig, readRoots, verifyPublished } =
    await import('../release/index.ts')
  // With a place and a root no configuration is needed: anyone can check what anyone publishes.
  const isOptional = place !== undefined && options.root !== undefined && options.config === undefined
  const loaded = await readConfig(options.config).catch((error: unknown) => {
    if (isOptional && isMoultError(error) && error.code === 'ERR_CONFIG_MISSING') return undefined
    throw error
  })
  const inProject = (path: string): string => resolve(loaded?.dir ?? '.', path)
  const [root] = await readRoots(options.root ?? inProject(loaded?.config.root ?? DEFAULT_ROOT_FILE), undefined)
  const from = place ?? placeOf(loaded, inProject, DEFAULT_PUBLISH_PATH)
  const channel = options.channel ?? loaded?.config.channel
  const progress = showProgress()
  try {
    const result = await verifyPublished(
      {
        place: from,
        root,
        ...(channel === undefined ? {} : { channel }),
        baseUrl: options.baseUrl ?? loaded?.config.baseUrl,
      },
      { on: progress.on, signal },
    )
    const { name, version, sequence, expires, files } = result
    printResult(options.json, { kind: 'verified', place: from, ...result }, [
      `Verified ${name} ${version} on ${result.channel} in ${from}`,
      `Sequence ${sequence}, good until ${expires}; ${files.length} files, ${formatSize(files.reduce((sum, { size }) => sum + size, 0))}`,
    ])
  } finally {
    progress.end()
  }
}

function placeOf(loaded: LoadedConfig | undefined, inProject: (path: string) => string, fallback: string): string {
  if (loaded === undefined) throw new MoultError('ERR_BUG', 'no place to verify')
  return loaded.config.publish?.url ?? inProject(loaded.config.publish?.path ?? fallback)
}
