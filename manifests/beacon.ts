// What an agent says of itself in the User-Agent of each poll, and how it is read back from an access log. The alphabet
// is `[A-Za-z0-9._/;=+() -]`, of which the usual logs escape nothing but the space.
//
//   heartbeat-agent/1.4.2 (linux-amd64; stable; id=0f1e2d3c4b5a6978; st=confirmed; ev=17/updated/1.4.2/340) moult/0.1.0

/** Longest User-Agent. What does not fit is left out: `formatBeacon` says in which order. */
export const BEACON_MAX_CHARS = 199
const VERSION_MAX_CHARS = 40
const DETAIL_MAX_CHARS = 40
const EVENTS_MAX = 3

export const BEACON_STATES = ['confirmed', 'trial', 'rolled-back', 'waiting', 'failed'] as const
/**
 * `trial`: what runs is on probation. `rolled-back`: it runs because a newer one failed here. `waiting`: a newer one is
 * offered, and not yet for this agent. `failed`: the last check or update failed. Else `confirmed`.
 */
export type BeaconState = (typeof BEACON_STATES)[number]

export const BEACON_EVENTS = ['updated', 'rolled-back', 'failed'] as const

/** Something that happened on the machine since it was last told. */
export interface BeaconEvent {
  /** Counts the events of this agent: one that is told twice counts once. */
  readonly n: number
  readonly kind: (typeof BEACON_EVENTS)[number]
  /** The version that was confirmed, rolled back, or could not be installed. */
  readonly version: string
  /** Seconds from the first offer to the confirmation; the reason of a rollback; the error code without `ERR_`. */
  readonly detail: string
}

export interface Beacon {
  readonly name: string
  /** Undefined where nothing is installed. */
  readonly version?: string | undefined
  readonly platform: string
  readonly channel: string
  /** 16 hexadecimal digits; absent where the owner of the machine has switched the beacon off, and with it what follows. */
  readonly id?: string | undefined
  readonly state?: BeaconState | undefined
  /** Code of the last error, without `ERR_`. */
  readonly error?: string | undefined
  readonly events: readonly BeaconEvent[]
  /** Version of the updater. */
  readonly updater: string
}

/**
 * Never longer than `BEACON_MAX_CHARS`: later events go first, then the error, the state, the last event, the ends of the
 * versions, and at last the id. With a name and a channel of usual length that comes down to the events.
 */
export function formatBeacon(beacon: Beacon): string {
  let text = ''
  for (const form of formsOf(beacon)) {
    text = formText(form)
    if (text.length <= BEACON_MAX_CHARS) break
  }
  return text
}

type Form = Beacon & { readonly versionChars?: number }

/** From the fullest to the barest, which fits whatever the names. */
function* formsOf(beacon: Beacon): Generator<Form> {
  const events = beacon.events.slice(0, EVENTS_MAX)
  for (let count = events.length; count > 0; count -= 1) yield { ...beacon, events: events.slice(0, count) }
  if (events.length > 0) {
    // An event is said twice, and the rest by every poll.
    const first = { ...beacon, events: events.slice(0, 1), error: undefined }
    yield first
    yield { ...first, state: undefined }
  }
  const bare = { ...beacon, events: [] }
  yield bare
  yield { ...bare, error: undefined }
  yield { ...bare, error: undefined, state: undefined }
  yield { ...bare, error: undefined, state: undefined, versionChars: 16 }
  yield { ...bare, id: undefined, versionChars: 12 }
}

function formText({
  name,
  version = 'none',
  platform,
  channel,
  id,
  state,
  error,
  events,
  updater,
  versionChars,
}: Form) {
  const own = id === undefined ? [] : [`id=${id}`, ...(state === undefined ? [] : [`st=${state}`])]
  const failed = id === undefined || error === undefined ? [] : [`er=${error}`]
  const told = id === undefined ? [] : events.map(eventText)
  const comment = [platform, channel, ...own, ...failed, ...told].join('; ')
  return `${name}/${short(version, versionChars)} (${comment}) moult/${short(updater, versionChars)}`
}

/** How many of the events the text of a beacon has room for, from the first on. */
export function toldEvents(beacon: Beacon): number {
  return parseBeacon(formatBeacon(beacon))?.events.length ?? 0
}

const PRODUCT =
  /^([a-z0-9][a-z0-9._-]{0,63})\/([0-9A-Za-z.+-]{1,40}) \(([A-Za-z0-9._/;=+ -]*)\) moult\/([0-9A-Za-z.+-]{1,40})$/
const EVENT = /^([0-9]{1,15})\/([a-z-]+)\/([0-9A-Za-z.+-]{1,40})\/([A-Za-z0-9._+-]{1,40})$/

/** Undefined for the User-Agent of anything else. Members that are not known are passed over. */
export function parseBeacon(text: string): Beacon | undefined {
  const [, name, version, comment = '', updater] = PRODUCT.exec(text.slice(0, 512)) ?? []
  if (name === undefined || version === undefined || updater === undefined) return undefined
  const [platform = '', channel = '', ...members] = comment.split('; ')
  if (!/^[a-z0-9]{1,16}-[a-z0-9_]{1,16}$/.test(platform) || !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(channel))
    return undefined
  const valueOf = (key: string): string | undefined =>
    members.find((member) => member.startsWith(`${key}=`))?.slice(key.length + 1)
  const id = valueOf('id')
  const state = BEACON_STATES.find((one) => one === valueOf('st'))
  const error = valueOf('er')
  const isId = id !== undefined && /^[0-9a-f]{16}$/.test(id)
  return {
    name,
    ...(version === 'none' ? {} : { version }),
    platform,
    channel,
    ...(isId ? { id } : {}),
    ...(isId && state !== undefined ? { state } : {}),
    ...(isId && error !== undefined && /^[A-Z0-9_]{1,40}$/.test(error) ? { error } : {}),
    events: isId ? members.flatMap(readEvent) : [],
    updater,
  }
}

function readEvent(member: string): BeaconEvent[] {
  if (!member.startsWith('ev=')) return []
  const [, n = '', name, version = '', detail = ''] = EVENT.exec(member.slice(3)) ?? []
  const kind = BEACON_EVENTS.find((one) => one === name)
  // What is no number of seconds would make every mean of them worthless.
  if (kind === undefined || (kind === 'updated' && !/^[0-9]{1,15}$/.test(detail))) return []
  return [{ n: Number(n), kind, version, detail }]
}

function eventText({ n, kind, version, detail }: BeaconEvent): string {
  return `ev=${n}/${kind}/${short(version)}/${beaconWord(detail)}`
}

/** Text as the detail of an event: a reason can come from a file that others write, and MUST NOT begin another member. */
export function beaconWord(detail: string): string {
  const word = detail.replace(/[^A-Za-z0-9._+-]/g, '-').slice(0, DETAIL_MAX_CHARS)
  return word === '' ? '-' : word
}

/** Versions may have 128 characters; what identifies them stands in front. */
function short(version: string, chars = VERSION_MAX_CHARS): string {
  return version.slice(0, chars)
}
