import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'

import { MoultError } from '../manifests/errors.ts'
import { describeRelease } from './describe-release.ts'
import { askPassphrase, PASSPHRASE_OPTION } from './passphrase.ts'
import { printResult } from './print-result.ts'
import { showProgress } from './progress.ts'
import { addTermsOptions, termsFrom, type TermsOptions } from './rollout/terms-options.ts'
import { runCommand } from './run-command.ts'
import { takeEnvironment } from './take-environment.ts'

interface Options extends TermsOptions {
  config?: string
  next?: boolean
  channel?: string
  notes?: string
  notesFile?: string
  minVersion?: string
  rollbackFloor?: string
  containerImage?: string
  baseUrl?: string
  delta?: boolean
  deltaFleet?: string
  rollout?: boolean
  passphraseFile?: string
  plan?: boolean
  json?: boolean
}

export function registerRelease(program: Command): void {
  const command = program
    .command('release')
    .description('build, hash, sign and publish a version')
    .argument('[version]', 'default: where `version` of the configuration says')
    .option('--next', 'the next patch after the live version')
    .option('--channel <name>', 'default: of the configuration, or stable')
  addTermsOptions(command)
    .option('--notes <text>', 'release notes')
    .option('--notes-file <file>', 'release notes from a file')
    .option('--min-version <version>', 'agents older than this update at once')
    .option('--rollback-floor <version>', 'once this release has run, nothing below is installed again')
    .option('--container-image <reference>', 'the image with this version, for agents that only signal')
    .option('--base-url <url>', 'write absolute URLs, which the simplest clients need')
    .option('--no-delta', 'no deltas from earlier releases')
    .option('--delta-fleet <file>', 'of `moult fleet status --json`: deltas also from what most agents run')
    .option('--no-rollout', 'all but the manifest, with the release key alone; `moult rollout set` offers it')
    .option('--config <file>', 'default: moult.config.json')
    .option(...PASSPHRASE_OPTION)
    .option('--plan', 'build, and say what would be published; publishes nothing')
    .option('--json', 'print one JSON object')
    .action((version: string | undefined, options: Options) =>
      runCommand(options, (signal) => runRelease(version, options, signal)),
    )
}

async function runRelease(version: string | undefined, options: Options, signal: AbortSignal): Promise<void> {
  if (version !== undefined && options.next === true) {
    throw new MoultError('ERR_USAGE_INVALID', `--next: expected no version beside it, got ${version}`)
  }
  const { config, next, channel, notes, notesFile, passphraseFile, baseUrl, plan, rollout } = options
  const { delta: deltas, deltaFleet } = options
  const { minVersion, rollbackFloor, containerImage } = options
  const changelog = notes ?? (notesFile === undefined ? undefined : await readNotes(notesFile))
  const env = takeEnvironment()
  const { release } = await import('../release/index.ts')
  const progress = showProgress()
  try {
    const result = await release(
      {
        ...{ config, next, channel, version, changelog, minVersion, rollbackFloor, containerImage },
        ...{ baseUrl, plan, rollout, deltas, deltaFleet, ...termsFrom(options) },
      },
      { on: progress.on, signal, env, passphrase: (path) => askPassphrase(path, { passphraseFile, env, signal }) },
    )
    progress.end()
    printResult(options.json, result, describeRelease(result))
  } finally {
    progress.end()
  }
}

async function readNotes(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `the release notes cannot be read: ${file}`, {
      details: { file },
      cause,
    })
  }
}
