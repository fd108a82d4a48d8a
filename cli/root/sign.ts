import type { Command } from 'commander'

import type { Signer } from '../../release/index.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { askPassphrase, PASSPHRASE_OPTION } from '../passphrase.ts'
import { takeEnvironment } from '../take-environment.ts'
import { confirm } from '../confirm.ts'
import { type PlaceOptions, withPlace } from './draft-options.ts'
import { requirementLines, reviewLines } from './root-lines.ts'

const UNSIGNED = 'nothing was signed'

interface SignFlags extends PlaceOptions {
  key: string
  passphraseFile?: string
  yes?: boolean
}

interface SignReleaseFlags extends SignFlags {
  out?: string
}

export function registerRootSign(root: Command): void {
  withPlace(root.command('sign'))
    .description('sign the draft, on whatever machine the key is kept')
    .requiredOption('--key <file>', 'the private key file')
    .option(...PASSPHRASE_OPTION)
    .option('--yes', 'do not ask')
    .action((flags: SignFlags) => runCommand(flags, (signal) => sign(flags, signal)))
  root
    .command('sign-release')
    .description('sign a released version anew after a rotation of release keys, where such a key is kept')
    .argument('<file>', 'its release document, or a manifest that carries it')
    .requiredOption('--key <file>', 'the private key file')
    .option('--file <draft>', 'the draft with the new release keys; default as for `sign`')
    .option('--config <file>', 'default: moult.config.json, if there is one')
    .option('--out <file>', 'default: <version>.release.json beside the roots')
    .option(...PASSPHRASE_OPTION)
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object')
    .action((file: string, flags: SignReleaseFlags) => runCommand(flags, (signal) => signRelease(file, flags, signal)))
}

async function sign(flags: SignFlags, signal: AbortSignal): Promise<void> {
  const { reviewDraft, signDraft } = await import('../../release/index.ts')
  const { file, previous, config, json } = flags
  const reviewed = await reviewDraft({ file, previous, config })
  // Before the key is touched: what one is about to sign is on the screen when the passphrase is asked for.
  for (const line of reviewLines(reviewed.review)) console.error(line)
  for (const warning of reviewed.review.warnings) console.error(`warning: ${warning}`)
  await confirm({ text: `Sign root ${reviewed.review.root.version}?`, otherwise: UNSIGNED }, flags.yes, signal)
  const signer = await openKey(flags, signal)
  const result = await signDraft(reviewed, signer)
  printResult(json, result, [
    `${result.kind === 'signed' ? 'Signed' : 'Had signed before'}: root ${result.root.version} in ${result.file}, by ${result.key}`,
    ...requirementLines(result.requirements),
    result.isComplete
      ? 'Complete: run `moult root publish` in the project'
      : 'Not complete: carry it to the next signer',
  ])
}

async function signRelease(release: string, flags: SignReleaseFlags, signal: AbortSignal): Promise<void> {
  const { readReleaseToSign, signRelease: signAnew } = await import('../../release/index.ts')
  const { file, config, out, json } = flags
  const what = await readReleaseToSign({ release, file, config, out })
  const { name, version, release_date: date, binaries } = what.release
  console.error(`Release ${version} of ${name}, ${date}, digest ${what.digest}:`)
  for (const [platform, { sha256 }] of Object.entries(binaries)) console.error(`  ${platform.padEnd(16)} ${sha256}`)
  const text = `Is that what you released, and shall it be signed under root ${what.root.version}?`
  await confirm({ text, otherwise: UNSIGNED }, flags.yes, signal)
  const result = await signAnew(what, await openKey(flags, signal))
  printResult(json, result, [
    `Signed: release ${version} in ${result.file}, by ${result.key} (${result.signed} of ${result.threshold})`,
    'Carry it to the trust folder of the machine that publishes, and run `moult root publish` there',
  ])
}

async function openKey({ key, passphraseFile }: SignFlags, signal: AbortSignal): Promise<Signer> {
  const { openSigner } = await import('../../release/index.ts')
  const env = takeEnvironment()
  const passphrase = (path: string): Promise<string> => askPassphrase(path, { passphraseFile, env, signal })
  return openSigner(key, '.', { env, signal, passphrase })
}
