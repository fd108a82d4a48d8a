import { MoultError } from '../manifests/index.ts'
import type { SettingsFile } from './settings-file.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Names of older systems that would hold updates back and that nothing here obeys yet: never passed over in silence. */
const NOT_SUPPORTED = [
  'UPDATE_MAINTENANCE_WINDOW_START',
  'UPDATE_MAINTENANCE_WINDOW_END',
  'UPDATE_ROLLOUT_PERCENT',
] as const

/** The names that operators of older systems already use. @throws MoultError ERR_CONFIG_INVALID */
export function settingsFromEnvironment(env: Environment): Partial<SettingsFile> {
  for (const name of NOT_SUPPORTED) {
    if (env[name] === undefined || env[name] === '') continue
    throw new MoultError('ERR_CONFIG_INVALID', `${name}: not supported by this version`, {
      hint: 'No update is installed while it is set, as it may be meant to hold updates back; unset it.',
    })
  }
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
  take('UPDATE_ENABLED', 'enabled', () => isTrue(env, 'UPDATE_ENABLED'))
  for (const name of ['UPDATE_AUTO_INSTALL', 'UPDATE_AUTO_APPROVE']) {
    if (env[name] !== undefined && env[name] !== '' && !isTrue(env, name)) settings['autoInstall'] = false
  }
  take('UPDATE_DOWNLOAD_TIMEOUT', 'downloadTimeout')
  take('UPDATE_MAX_RETRIES', 'retries', Number)
  take('UPDATE_MAX_PACKAGE_SIZE', 'maxPackageSize', Number)
  take('UPDATE_BACKUP_RETENTION', 'keepVersions', Number)
  return settings
}

function isTrue(env: Environment, name: string): boolean {
  const text = env[name]?.toLowerCase()
  if (text === 'true' || text === '1' || text === 'yes') return true
  if (text === 'false' || text === '0' || text === 'no') return false
  throw new MoultError('ERR_CONFIG_INVALID', `${name}: expected true or false, got ${JSON.stringify(env[name])}`)
}
