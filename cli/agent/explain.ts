import type { Command } from 'commander'

import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { depsFor, type HomeOptions, settingsOf, withHomeOptions } from './home-options.ts'

export function registerAgentExplain(agent: Command): void {
  withHomeOptions(agent.command('explain'))
    .description('why this agent does or does not update now; changes nothing that runs')
    .action((options: HomeOptions) => runCommand(options, (signal) => explain(options, signal)))
}

async function explain(options: HomeOptions, signal: AbortSignal): Promise<void> {
  const { installedRecord, update, withLock } = await import('../../agent/index.ts')
  const settings = await settingsOf(options)
  const deps = { ...(await depsFor(false, signal)), emit: () => undefined }
  const result = await withLock(settings.home, () => update(settings, { apply: false }, deps))
  if (result.kind === 'swapped') return
  const { decision, manifest } = result
  const { release, rollout } = manifest
  printResult(options.json, { running: installedRecord(settings.home)?.version, release, rollout, decision }, [
    `running   ${installedRecord(settings.home)?.version ?? 'nothing'}`,
    `offered   ${release.version} of ${release.release_date}, sequence ${rollout.sequence}, good until ${rollout.expires}`,
    `bucket    ${decision.bucket} of 10000; open for ${decision.percent} % now${rollout.paused === true ? ', but paused' : ''}`,
    ...rollout.stages.map(({ at, percent }) => `stage     ${percent} % from ${at}`),
    `decision  ${decision.kind}${'reason' in decision ? `: ${decision.reason}` : ''}`,
  ])
}
