// What an agent is told about its updates: a JSON file in home, overridden by the environment, overridden by the caller.

import { resolve } from 'node:path'

import {
  assertSelfSigned,
  type JsonValue,
  MoultError,
  nameShape,
  parseDuration,
  parseStrictJson,
  readRoot,
  type Root,
  shape,
} from '../manifests/index.ts'
import { readSmallFile } from './durable-file.ts'
import { type Home, homeAt } from './home.ts'
import { TRIES_DEFAULT } from './launch-record.ts'
import { POLL_INTERVAL_MIN_MS, POLL_INTERVAL_MS } from './schedule.ts'
import { manifestUrl } from './url-policy.ts'

const { array, boolean, described, integer, object, oneOf, optional, record, string } = shape
const duration = shape.parsed(
  (text) => (parseDuration(text) === undefined ? undefined : text),
  'a duration such as 30s, 5m or 1h',
)
const headerValue = string({ pattern: /^[\x20-\x7e]*$/, says: 'a header value of printable ASCII' })

export const settingsShape = object({
  $schema: optional(string()),
  server: described('URL of the directory that holds version.json, or of the file itself', string({ max: 2048 })),
  channel: optional(described('Line of releases to follow; stable by default', nameShape)),
  root: optional(described('Path of the pinned root document, relative to home; root.json by default', string())),
  id: optional(described('Id of this agent for rollouts; made of the machine id by default', string({ max: 128 }))),
  enabled: optional(described('False switches updates off', boolean())),
  mode: optional(described('auto: install updates; disabled: do nothing', oneOf('auto', 'disabled'))),
  autoInstall: optional(described('False: report updates and leave them to `moult agent check --apply`', boolean())),
  interval: optional(described('Time between polls; 5m by default', duration)),
  headers: optional(
    described(
      'Headers for the update server only, e.g. an access token',
      record(/^[A-Za-z0-9-]{1,64}$/, headerValue, { max: 16 }),
    ),
  ),
  downloadTimeout: optional(described('Longest time for one artifact; 30m by default', duration)),
  stallTimeout: optional(described('Longest silence of the server; 30s by default', duration)),
  retries: optional(described('Retries of a broken download within one poll; 5 by default', integer({ max: 20 }))),
  rateLimit: optional(described('Bytes a second for downloads; no limit by default', integer({ min: 1024 }))),
  maxPackageSize: optional(
    described('Largest artifact that is taken, in bytes; 1 GiB by default', integer({ min: 1 })),
  ),
  preflight: optional(
    described(
      'Arguments with which a new program is run once before it is installed; ["--version"] by default',
      array(string(), { max: 16 }),
    ),
  ),
  tries: optional(
    described(
      'How often a version on trial is started before it is rolled back; 3 by default',
      integer({ min: 1, max: 100 }),
    ),
  ),
  probation: optional(described('How long a new version must stay healthy; 1m by default', duration)),
  probationDeadline: optional(
    described(
      'When a new version that did not prove itself is rolled back; ten probations by default, and a minute at least',
      duration,
    ),
  ),
  health: optional(
    described(
      'How the health of the program is probed',
      object({
        url: optional(described('Healthy while it answers with a 2xx status', string())),
        command: optional(described('Healthy while it exits with status 0', array(string(), { min: 1, max: 32 }))),
      }),
    ),
  ),
  keepVersions: optional(described('How many versions stay on the disk; 3 by default', integer({ min: 2, max: 100 }))),
  keepDays: optional(described('How many days a version stays on the disk; 7 by default', integer({ max: 3650 }))),
  stopTimeout: optional(described('How long a program may take to stop before it is killed; 30s by default', duration)),
})

export type SettingsFile = shape.ShapeOf<typeof settingsShape>

/** Settings with everything resolved: times in milliseconds, sizes in bytes. */
export interface Settings {
  readonly home: Home
  readonly url: URL
  readonly channel: string
  /** The pinned root document, signed by itself. */
  readonly root: Root
  readonly id?: string
  readonly enabled: boolean
  readonly autoInstall: boolean
  readonly intervalMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly downloadTimeoutMs: number
  readonly stallMs: number
  readonly retries: number
  readonly rateLimit?: number
  readonly maxPackageSize: number
  readonly preflight: readonly string[]
  readonly tries: number
  readonly probationMs: number
  readonly probationDeadlineMs: number
  readonly health: { readonly url?: string; readonly command?: readonly string[] }
  readonly keepVersions: number
  readonly keepDays: number
  readonly stopTimeoutMs: number
}

/** A first poll needs some seconds even where the probation is short: without it a sound version would be rolled back. */
const PROBATION_DEADLINE_MIN_MS = 60_000
/** What a timer of Node can hold; it takes anything longer for 1 ms. */
const TIME_MAX_MS = 2 ** 31 - 1

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads and checks `<home>/agent.json` and the pinned root.
 *
 * @param env the process environment; the `UPDATE_*` names override the file
 * @param overrides of the caller; they win over both
 * @throws MoultError ERR_CONFIG_MISSING, ERR_CONFIG_INVALID or ERR_TRUST_*
 */
export function loadSettings(homePath: string, env: Environment, overrides: Partial<SettingsFile> = {}): Settings {
  const home = homeAt(resolve(homePath))
  const file = readSettingsFile(home, { ...settingsFromEnvironment(env), ...overrides })
  const probationMs = timeOf(file.probation, 60_000)
  const intervalMs = timeOf(file.interval, POLL_INTERVAL_MS)
  if (intervalMs < POLL_INTERVAL_MIN_MS) {
    throw new MoultError(
      'ERR_CONFIG_INVALID',
      `interval: expected at least ${POLL_INTERVAL_MIN_MS} ms, got ${file.interval}`,
    )
  }
  const channel = file.channel ?? 'stable'
  return {
    home,
    url: manifestUrl(file.server, channel),
    channel,
    root: readPinnedRoot(resolve(home.path, file.root ?? 'root.json')),
    ...(file.id === undefined ? {} : { id: file.id }),
    enabled: file.enabled !== false && file.mode !== 'disabled',
    autoInstall: file.autoInstall !== false,
    intervalMs,
    headers: Object.fromEntries(Object.entries(file.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    downloadTimeoutMs: timeOf(file.downloadTimeout, 30 * 60_000),
    stallMs: timeOf(file.stallTimeout, 30_000),
    retries: file.retries ?? 5,
    ...(file.rateLimit === undefined ? {} : { rateLimit: file.rateLimit }),
    maxPackageSize: file.maxPackageSize ?? 1024 ** 3,
    preflight: file.preflight ?? ['--version'],
    tries: file.tries ?? TRIES_DEFAULT,
    probationMs,
    probationDeadlineMs: timeOf(file.probationDeadline, Math.max(10 * probationMs, PROBATION_DEADLINE_MIN_MS)),
    health: file.health ?? {},
    keepVersions: file.keepVersions ?? 3,
    keepDays: file.keepDays ?? 7,
    stopTimeoutMs: timeOf(file.stopTimeout, 30_000),
  }
}

function readSettingsFile(home: Home, overrides: Partial<SettingsFile>): SettingsFile {
  const bytes = readSmallFile(home.config)
  if (bytes === undefined && overrides.server === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', `not found: ${home.config}`, {
      hint: 'Run `moult agent install --home <dir> --server <url> --root <root.json>` first.',
    })
  }
  let fields: unknown
  try {
    fields = bytes === undefined ? {} : JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_INVALID', `not JSON: ${home.config}: ${(cause as Error).message}`, { cause })
  }
  return checkSettings({ ...(fields as Record<string, unknown>), ...overrides }, home.config)
}

/** @throws MoultError ERR_CONFIG_INVALID with path, expected, got and the nearest name */
export function checkSettings(value: unknown, source: string): SettingsFile {
  try {
    return settingsShape.check(value, '')
  } catch (cause) {
    if (!(cause instanceof shape.ShapeMismatch)) throw cause
    const hint = cause.nearest === undefined ? undefined : `Did you mean "${cause.nearest}"?`
    throw new MoultError('ERR_CONFIG_INVALID', `${source}: ${cause.message}`, {
      details: cause.details,
      cause,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

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

/** @throws MoultError ERR_CONFIG_MISSING or ERR_TRUST_* */
export function readPinnedRoot(path: string): Root {
  const bytes = readSmallFile(path)
  if (bytes === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', `no root document: ${path}`, {
      hint: 'Copy trust/1.root.json of the project there, over a channel that you trust.',
    })
  }
  const root = readRoot(parseRoot(bytes, path))
  assertSelfSigned(root)
  return root
}

function parseRoot(bytes: Uint8Array, path: string): JsonValue {
  try {
    return parseStrictJson(bytes)
  } catch (cause) {
    throw new MoultError('ERR_TRUST_ROOT', `${(cause as Error).message}: ${path}`, { cause })
  }
}

function timeOf(text: string | undefined, fallbackMs: number): number {
  return Math.min(text === undefined ? fallbackMs : (parseDuration(text) ?? fallbackMs), TIME_MAX_MS)
}
