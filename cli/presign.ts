import type { Command } from 'commander'

import { MoultError, parseDuration } from '../manifests/index.ts'
import { printResult } from './print-result.ts'
import { runCommand } from './run-command.ts'

interface Options {
  expires: string
  config?: string
  json?: boolean
}

export function registerPresign(program: Command): void {
  program
    .command('presign')
    .description('a link to one file of a private bucket that works without credentials, until it expires')
    .argument('<path>', 'as published, e.g. bin/1.2.3/agent-linux-amd64')
    .option('--expires <duration>', 'how long it works, at most 7d', '1h')
    .option('--config <file>', 'default: moult.config.json')
    .option('--json', 'print one JSON object')
    .action((path: string, options: Options) => runCommand(options, (signal) => runPresign(path, options, signal)))
}

async function runPresign(path: string, { expires, config, json }: Options, signal: AbortSignal): Promise<void> {
  const expiresMs = parseDuration(expires)
  if (expiresMs === undefined)
    throw new MoultError(
      'ERR_USAGE_INVALID',
      `--expires: expected a duration such as 1h, got ${JSON.stringify(expires)}`,
    )
  const { openPublisher, readConfig } = await import('../release/index.ts')
  const loaded = await readConfig(config)
  const publisher = await openPublisher(loaded.config, loaded.dir, { signal })
  if (publisher.link === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', `has no links that expire: ${publisher.target}`, {
      hint: 'Buckets of S3 have. A folder is served by a web server, which decides who may read it.',
    })
  }
  const files = await publisher.list(path)
  if (!files.some((file) => file.path === path)) {
    throw new MoultError('ERR_USAGE_INVALID', `not published in ${publisher.target}: ${path}`, {
      hint: 'Give the path as it stands in the manifest, e.g. bin/1.2.3/agent-linux-amd64.',
    })
  }
  const url = await publisher.link(path, expiresMs)
  printResult(json, { path, url, expires: new Date(Date.now() + expiresMs).toISOString() }, [url])
}
