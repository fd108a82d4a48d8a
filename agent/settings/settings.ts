// What an agent is told about its updates: a JSON file in home, overridden by the environment, overridden by the caller.

import { resolve } from 'node:path'

import {
  assertSelfSigned,
  isMoultError,
  type JsonValue,
  type Labels,
  type MaintenanceWindow,
  MoultError,
  parseDuration,
  parseStrictJson,
  readRoot,
  type Root,
} from '../../manifests/index.ts'
import { type Deployment, detectDeployment } from './deployment.ts'
import { readSmallFile } from '../home/durable-file.ts'
import { type Home, homeAt } from '../home/home.ts'
import { TRIES_DEFAULT } from '../home/launch-record.ts'
import { DRAIN_TIMEOUT_MS } from '../restart/restart.ts'
import { RESTART_TIMEOUT_MS, type RestartSettings } from '../restart/restart-methods.ts'
import { POLL_INTERVAL_MIN_MS, POLL_INTERVAL_MS } from '../poll/schedule.ts'
import { type Environment, settingsFromEnvironment } from './settings-environment.ts'
import { ownTimezone } from './own-timezone.ts'
import { checkSettings, type SettingsFile } from './settings-file.ts'
import type { UpdateMode } from './update-role.ts'
import { manifestUrl } from '../poll/url-policy.ts'

/** Settings with everything resolved: times in milliseconds, sizes in bytes. */
export interface Settings {
  readonly home: Home
  readonly url: URL
  readonly channel: string
  /** The pinned root document, signed by itself. */
  readonly root: Root
  readonly id?: string
  /** What the owner of the machine calls it, for the rules of a rollout. */
  readonly labels: Labels
  /** Zone of windows that name none: that of the process, which TZ tells. */
  readonly timezone: string
  readonly enabled: boolean
  readonly mode: UpdateMode
  readonly deployment: Deployment
  readonly autoInstall: boolean
  readonly policy: Policy
  readonly intervalMs: number
  /** Whether the owner of the machine has laid down the interval; else the publisher may propose one. */
  readonly hasOwnInterval: boolean
  readonly headers: Readonly<Record<string, string>>
  /** Whether polls say who polls, in which state, and what has happened. */
  readonly beacon: boolean
  readonly downloadTimeoutMs: number
  readonly stallMs: number
  readonly retries: number
  /** Whether an update may come as a patch to what is installed. */
  readonly deltas: boolean
  readonly rateLimit?: number
  readonly maxPackageSize: number
  readonly preflight: readonly string[]
  readonly installTimeoutMs: number
  readonly tries: number
  readonly probationMs: number
  readonly probationDeadlineMs: number
  readonly health: { readonly url?: string; readonly command?: readonly string[] }
  readonly keepVersions: number
  readonly keepDays: number
  readonly metricsFile?: string
  /** Absolute. */
  readonly signalFile?: string
  readonly restart: RestartSettings
  readonly drainTimeoutMs: number
  readonly stopTimeoutMs: number
}

/** What the owner of the machine lays down for updates. */
export interface Policy {
  /** Whether a person has to approve an update. */
  readonly needsApproval: boolean
  readonly windows: readonly MaintenanceWindow[]
  readonly percentCap?: number
  /** Versions that may run here. */
  readonly pin?: string
}

/** A first poll needs some seconds even where the probation is short: without it a sound version would be rolled back. */
const PROBATION_DEADLINE_MIN_MS = 60_000
/** What a timer of Node can hold; it takes anything longer for 1 ms. */
const TIME_MAX_MS = 2 ** 31 - 1

/**
 * Reads and checks `<home>/agent.json` and the pinned root.
 *
 * @param env the process environment; the `UPDATE_*` names override the file
 * @param overrides of the caller; they win over both
 * @throws MoultError ERR_CONFIG_MISSING, ERR_CONFIG_INVALID or ERR_TRUST_*
 */
export function loadSettings(homePath: string, env: Environment, overrides: Partial<SettingsFile> = {}): Settings {
  const home = homeAt(resolve(homePath))
  const fields = readSettingsFields(home)
  const fromEnvironment = settingsFromEnvironment(env)
  const file = { ...fields, ...fromEnvironment, ...overrides }
  // Its members have nothing but the subject in common: a method from the environment leaves the unit of the file alone.
  const restart = [fields?.['restart'], fromEnvironment.restart, overrides.restart].filter((part) => part !== undefined)
  if (restart.length > 1) file.restart = Object.assign({}, ...restart) as RestartFields
  if (fields === undefined && file.server === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', `not found: ${home.config}`, {
      hint: 'Run `moult agent install --home <dir> --server <url> --root <root.json>` first.',
    })
  }
  const checked = checkSettings(file, home.config)
  return resolveSettings(home, checked, () => readPinnedRoot(pinnedRootPath(home, checked)), env)
}

type RestartFields = NonNullable<SettingsFile['restart']>

/**
 * @param rootOf called last: what is wrong with the settings is told first
 * @param env for finding out where the agent runs
 * @throws MoultError ERR_CONFIG_INVALID, and what `rootOf` throws
 */
export function resolveSettings(home: Home, file: SettingsFile, rootOf: () => Root, env: Environment = {}): Settings {
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
    root: rootOf(),
    ...(file.id === undefined ? {} : { id: file.id }),
    labels: file.labels ?? {},
    timezone: ownTimezone(),
    enabled: file.enabled !== false && file.mode !== 'disabled',
    mode: file.mode ?? 'auto',
    deployment: detectDeployment(file.deployment, env),
    autoInstall: file.autoInstall !== false,
    policy: policyOf(file),
    intervalMs,
    hasOwnInterval: file.interval !== undefined,
    headers: Object.fromEntries(Object.entries(file.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    beacon: file.beacon !== false,
    downloadTimeoutMs: timeOf(file.downloadTimeout, 30 * 60_000),
    stallMs: timeOf(file.stallTimeout, 30_000),
    retries: file.retries ?? 5,
    deltas: file.deltas !== false,
    ...(file.rateLimit === undefined ? {} : { rateLimit: file.rateLimit }),
    maxPackageSize: file.maxPackageSize ?? 1024 ** 3,
    preflight: file.preflight ?? ['--version'],
    installTimeoutMs: timeOf(file.installTimeout, 10 * 60_000),
    tries: file.tries ?? TRIES_DEFAULT,
    probationMs,
    probationDeadlineMs: timeOf(file.probationDeadline, Math.max(10 * probationMs, PROBATION_DEADLINE_MIN_MS)),
    health: file.health ?? {},
    keepVersions: file.keepVersions ?? 3,
    keepDays: file.keepDays ?? 7,
    ...(file.metricsFile === undefined ? {} : { metricsFile: file.metricsFile }),
    ...(file.signalFile === undefined ? {} : { signalFile: resolve(home.path, file.signalFile) }),
    restart: restartOf(home, file.restart ?? {}),
    drainTimeoutMs: timeOf(file.drainTimeout, DRAIN_TIMEOUT_MS),
    stopTimeoutMs: timeOf(file.stopTimeout, 30_000),
  }
}

function policyOf({ approval, windows, percent, pin }: SettingsFile): Policy {
  const timezone = ownTimezone()
  return {
    needsApproval: approval === true,
    windows: (windows ?? []).map((window) => ({ timezone, ...window })),
    ...(percent === undefined ? {} : { percentCap: percent }),
    ...(pin === undefined ? {} : { pin }),
  }
}

function restartOf(home: Home, { method, unit, signal, pidFile, timeout }: RestartFields): RestartSettings {
  return {
    method: method ?? 'exit',
    ...(unit === undefined ? {} : { unit }),
    signal: signal ?? 'SIGHUP',
    ...(pidFile === undefined ? {} : { pidFile: resolve(home.path, pidFile) }),
    timeoutMs: timeOf(timeout, RESTART_TIMEOUT_MS),
  }
}

/**
 * The members of `<home>/agent.json`, not checked yet; undefined when there is none.
 * @throws MoultError ERR_CONFIG_INVALID
 */
export function readSettingsFields(home: Home): Record<string, unknown> | undefined {
  const bytes = readConfigFile(home.config)
  if (bytes === undefined) return undefined
  try {
    return { ...(JSON.parse(bytes.toString('utf8')) as object) }
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_INVALID', `not JSON: ${home.config}: ${(cause as Error).message}`, { cause })
  }
}

/** A file that is there and cannot be read MUST NOT pass for absent: the advice would be to install once more. */
export function readConfigFile(path: string): Buffer | undefined {
  try {
    return readSmallFile(path)
  } catch (cause) {
    const errno = isMoultError(cause) ? String(cause.details['errno']) : ''
    throw new MoultError('ERR_CONFIG_INVALID', `cannot be read: ${path}`, {
      details: { errno },
      cause,
      ...(errno === 'EACCES' || errno === 'EPERM' ? { hint: 'Run this as the user that owns it, or as root.' } : {}),
    })
  }
}

/** Where the pinned root of a home lies. */
export function pinnedRootPath(home: Home, file: Partial<SettingsFile>): string {
  return resolve(home.path, file.root ?? home.root)
}

/** @throws MoultError ERR_CONFIG_MISSING, ERR_CONFIG_INVALID or ERR_TRUST_* */
export function readPinnedRoot(path: string): Root {
  const bytes = readConfigFile(path)
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
