// `<home>/agent.json`: its shape, from which the published JSON Schema is printed (settings-schema.ts).

import {
  labelsShape,
  MoultError,
  nameShape,
  parseDuration,
  shape,
  versionRangeShape,
  windowShape,
} from '../../manifests/index.ts'
import { DEPLOYMENT_KINDS } from './deployment.ts'
import { RESTART_METHODS, RESTART_SIGNALS } from '../restart/restart-methods.ts'
import { UPDATE_MODES } from './update-role.ts'

const { array, boolean, described, integer, object, oneOf, optional, record, string } = shape
const duration = shape.parsed(
  (text) => (parseDuration(text) === undefined ? undefined : text),
  'a duration such as 30s, 5m or 1h',
)
const headerValue = string({ pattern: /^[\x20-\x7e]*$/, says: 'a header value of printable ASCII' })
const unitName = string({ pattern: /^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*$/, max: 255, says: 'the name of a unit' })

export const settingsShape = object({
  $schema: optional(string()),
  server: described('URL of the directory that holds version.json, or of the file itself', string({ max: 2048 })),
  channel: optional(described('Line of releases to follow; stable by default', nameShape)),
  root: optional(described('Path of the pinned root document, relative to home; root.json by default', string())),
  id: optional(described('Id of this agent for rollouts; made of the machine id by default', string({ max: 128 }))),
  labels: optional(
    described('What this machine is called in the rules of a rollout, e.g. {"ring": "canary"}', labelsShape),
  ),
  enabled: optional(described('False switches updates off', boolean())),
  mode: optional(
    described(
      'auto: install updates where they last; vm-only: not in containers; signal-only: report them; disabled: do nothing',
      oneOf(...UPDATE_MODES),
    ),
  ),
  deployment: optional(
    described('Where the agent runs; auto finds it out and is the default', oneOf('auto', ...DEPLOYMENT_KINDS)),
  ),
  autoInstall: optional(described('False: report updates and leave them to `moult agent check --apply`', boolean())),
  approval: optional(described('True: an update waits for `moult agent approve`', boolean())),
  windows: optional(
    described('Maintenance windows: an update waits until one is open', array(windowShape, { min: 1, max: 32 })),
  ),
  percent: optional(
    described('Largest percent of a rollout that this host takes part in; 100 by default', integer({ max: 100 })),
  ),
  pin: optional(described('The versions that may run here, e.g. 1.4.2 or <2.0.0', versionRangeShape)),
  interval: optional(described('Time between polls; what the rollout proposes by default, else 5m', duration)),
  headers: optional(
    described(
      'Headers for the update server only, e.g. an access token',
      record(/^[A-Za-z0-9-]{1,64}$/, headerValue, { max: 16 }),
    ),
  ),
  beacon: optional(
    described('False: polls do not say who polls, in which state, and what has happened; true by default', boolean()),
  ),
  downloadTimeout: optional(described('Longest time for one artifact; 30m by default', duration)),
  stallTimeout: optional(described('Longest silence of the server; 30s by default', duration)),
  retries: optional(described('Retries of a broken download within one poll; 5 by default', integer({ max: 20 }))),
  deltas: optional(
    described('False: updates come whole, never as a patch to what is installed; true by default', boolean()),
  ),
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
  installTimeout: optional(
    described('Longest time for unpacking, preflight and hooks of one update; 10m by default', duration),
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
  metricsFile: optional(
    described('Where the figures for Prometheus are written, relative to home; metrics.prom by default', string()),
  ),
  signalFile: optional(
    described('Where an available update is written too, relative to home, e.g. on a volume of a sidecar', string()),
  ),
  restart: optional(
    described(
      'How the new version is started',
      object({
        method: optional(
          described(
            'exit: with status 100, the default; exec: become the launcher; or systemd, or signal',
            oneOf(...RESTART_METHODS),
          ),
        ),
        unit: optional(described('Unit for systemctl; that of the program by default', unitName)),
        signal: optional(described('Signal for the program; SIGHUP by default', oneOf(...RESTART_SIGNALS))),
        pidFile: optional(
          described('File with the pid for the signal, relative to home; the program itself by default', string()),
        ),
        timeout: optional(described('How long systemd or the signal may take; 30s by default', duration)),
      }),
    ),
  ),
  drainTimeout: optional(
    described('How long an agent may take to finish its work before a restart; 30s by default', duration),
  ),
  stopTimeout: optional(described('How long a program may take to stop before it is killed; 30s by default', duration)),
})

export type SettingsFile = shape.ShapeOf<typeof settingsShape>

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
