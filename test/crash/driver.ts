// One step of an updater as a process of its own, bundled, for strace to run:
//
//   driver <update|roll-back|confirm|settle> <home> <server> <now>
//
// Prints how it ended: the kind of the result, or the code of the error with exit status 1.

import { loadSettings } from '../../agent/settings/settings.ts'
import { withLock } from '../../agent/home/lock.ts'
import { settle } from '../../agent/trial/settle.ts'
import { update, type UpdateDeps } from '../../agent/update.ts'
import { confirmVersion, rollBackVersion } from '../../agent/trial/verdict.ts'
import { toMoultError } from '../../manifests/index.ts'

const [, , step, path = '', server = '', now = ''] = process.argv

async function main(): Promise<string> {
  const overrides = { server, preflight: [], retries: 0, keepDays: 0, keepVersions: 2 }
  const settings = loadSettings(path, {}, overrides)
  const deps: UpdateDeps = { clock: () => Number(now), emit: () => undefined }
  return withLock(settings.home, async () => {
    switch (step) {
      case 'update':
        return (await update(settings, { apply: true }, deps)).kind
      case 'roll-back':
        return rollBackVersion(settings.home, '2.0.0', 'health') ?? 'nothing'
      case 'confirm':
        return confirmVersion(settings, '2.0.0') ? 'confirmed' : 'not on trial'
      case 'settle':
        return (await settle(settings, deps)).version
      default:
        throw new Error(`no such step: ${step}`)
    }
  })
}

main().then(
  (result) => process.stdout.write(`${result}\n`),
  (error: unknown) => {
    process.stdout.write(`${toMoultError(error).code}\n`)
    process.exitCode = 1
  },
)
