// What tells a supervisor to run the launcher. The comments in the files say why each setting is as it is.

import { MoultError } from '../../manifests/errors.ts'
import { podSpec } from './units/pod.ts'
import { runitScript } from './units/runit.ts'
import { S6_TIMEOUT_KILL, s6Script } from './units/s6.ts'
import { commandOf, type ServiceOptions } from './units/service-options.ts'
import { supervisordProgram } from './units/supervisord.ts'
import { systemdUnit } from './units/systemd.ts'

export const SERVICE_KINDS = ['systemd', 'runit', 's6', 'supervisord', 'pod'] as const
export type { ServiceOptions }
export type ServiceKind = (typeof SERVICE_KINDS)[number]

export interface ServiceFile {
  /** Where such a file usually lies. */
  readonly path: string
  readonly text: string
  readonly mode: number
  /** What has to lie in the same directory, by name. */
  readonly beside?: Readonly<Record<string, string>>
}

/** @throws MoultError ERR_USAGE_INVALID when the command has words that such files cannot hold */
export function serviceFile(kind: ServiceKind, options: ServiceOptions): ServiceFile {
  const { name } = options
  for (const word of commandOf(options)) refuseControl(word)
  switch (kind) {
    case 'systemd':
      return { path: `/etc/systemd/system/${name}.service`, text: systemdUnit(options), mode: 0o644 }
    case 'runit':
      return { path: `/etc/sv/${name}/run`, text: runitScript(options), mode: 0o755 }
    case 's6':
      return {
        path: `/etc/s6/${name}/run`,
        text: s6Script(options),
        mode: 0o755,
        beside: { 'timeout-kill': S6_TIMEOUT_KILL },
      }
    case 'supervisord':
      return { path: `/etc/supervisor/conf.d/${name}.conf`, text: supervisordProgram(options), mode: 0o644 }
    case 'pod':
      return { path: `${name}.pod.yaml`, text: podSpec(options), mode: 0o644 }
  }
}

/** A line feed would begin a setting of its own in most of these files. */
function refuseControl(word: string): void {
  if (!/[\u0000-\u001f\u007f]/.test(word)) return
  throw new MoultError('ERR_USAGE_INVALID', `a control character in ${JSON.stringify(word)}`, {
    hint: 'Put what the agent needs into a file of its own, and name that.',
  })
}
