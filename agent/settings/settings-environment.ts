import { MoultError } from '../../manifests/index.ts'
import type { SettingsFile } from './settings-file.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The names that operators of older systems already use. @throws MoultError ERR_CONFIG_INVALID */
export function settingsFromEnvironment(env: Environment): Partial<SettingsFile> {
  if ((env['UPDATE_SIGNATURE_REQUIRED'] ?? '') !== '' && !isTrue(env, 'UPDATE_SIGNATURE_REQUIRED')) {
    throw new MoultError('ERR_CONFIG_INVALID', 'UPDATE_SIGNATURE_REQUIRED: expected true, got false', {
      hint: 'Unsigned updates do not exist here: whoever controls the host would control every agent.',
    })
  }
  const settings: Record<string, unknown> = {}
  const take = (name: string, key: keyof SettingsFile, convert: (text: string) => unknown = (text) => text): void => {
    const text = env[name]
    if (text !== undefined && text !== '') settings[key] = convert(text)
  }
  take('UPDATE_SERVER', 'server')
  take('UPDATE_INTERVAL', 'interval')
  take('UPDATE_MODE', 'mode')
  take('DEPLOYMENT_MODE', 'deployment', (text) => (text === 'kubernetes' ? 'pod' : text))
  take('UPDATE_ENABLED', 'enabled', () => isTrue(env, 'UPDATE_ENABLED'))
  take('UPDATE_AUTO_INSTALL', 'autoInstall', () => isTrue(env, 'UPDATE_AUTO_INSTALL'))
  take('UPDATE_AUTO_APPROVE', 'approval', () => !isTrue(env, 'UPDATE_AUTO_APPROVE'))
  take('UPDATE_ROLLOUT_PERCENT', 'percent', numberOf)
  take('UPDATE_PIN', 'pin')
  take('UPDATE_LABELS', 'labels', labelsOf)
  take('UPDATE_BEACON', 'beacon', () => isTrue(env, 'UPDATE_BEACON'))
  take('UPDATE_DOWNLOAD_TIMEOUT', 'downloadTimeout')
  take('UPDATE_INSTALL_TIMEOUT', 'installTimeout')
  take('UPDATE_MAX_RETRIES', 'retries', numberOf)
  take('UPDATE_DELTAS', 'deltas', () => isTrue(env, 'UPDATE_DELTAS'))
  take('UPDATE_MAX_PACKAGE_SIZE', 'maxPackageSize', sizeOf)
  take('UPDATE_BACKUP_RETENTION', 'keepVersions', numberOf)
  take('UPDATE_RESTART_METHOD', 'restart', (method) => ({ method }))
  const window = windowOf(env)
  if (window !== undefined) settings['windows'] = [window]
  return settings
}

/** One window a day, in the zone of the machine. Half of one could be meant to hold updates back at any hour. */
function windowOf(env: Environment): { start: string; end: string } | undefined {
  const [start = '', end = ''] = [env['UPDATE_MAINTENANCE_WINDOW_START'], env['UPDATE_MAINTENANCE_WINDOW_END']]
  if (start === '' && end === '') return undefined
  if (start !== '' && end !== '') return { start, end }
  const [given, missing] = start === '' ? ['END', 'START'] : ['START', 'END']
  throw new MoultError(
    'ERR_CONFIG_INVALID',
    `UPDATE_MAINTENANCE_WINDOW_${given}: expected the other end too, got none`,
    {
      hint: `Set UPDATE_MAINTENANCE_WINDOW_${missing} as well, or unset both.`,
    },
  )
}

/** `ring=canary,site=berlin`. What is none is left to the check of the settings, which names it. */
function labelsOf(text: string): unknown {
  const pairs = text.split(',').map((pair) => /^([^=]*)=(.*)$/.exec(pair.trim()))
  return pairs.every((pair) => pair !== null) ? Object.fromEntries(pairs.map(([, name, value]) => [name, value])) : text
}

/** What is no number is left to the check of the settings, which names it. */
function numberOf(text: string): number | string {
  return /^[0-9]+$/.test(text) ? Number(text) : text
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
}

/** Bytes, or with a unit such as 100MB or 1GiB. */
function sizeOf(text: string): number | string {
  const [, amount, unit = 'B'] = /^([0-9]{1,15}) ?([KMG]?i?B)?$/i.exec(text) ?? []
  const bytes = SIZE_UNITS[unit.toUpperCase()]
  return amount === undefined || bytes === undefined ? text : Number(amount) * bytes
}

function isTrue(env: Environment, name: string): boolean {
  const text = env[name]?.toLowerCase()
  if (text === 'true' || text === '1' || text === 'yes') return true
  if (text === 'false' || text === '0' || text === 'no') return false
  throw new MoultError('ERR_CONFIG_INVALID', `${name}: expected true or false, got ${JSON.stringify(env[name])}`)
}
