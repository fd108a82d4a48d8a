// Vectors of the User-Agent: what a beacon looks like, and what a reader of logs makes of any text. scripts/make-vectors.ts
// writes them to test/vectors/beacons/; docs/vectors.md describes them.

import { type Beacon, beaconIdOf, formatBeacon, parseBeacon } from '../../manifests/index.ts'

const SHORT: Beacon = {
  name: 'heartbeat-agent',
  version: '1.4.2',
  platform: 'linux-amd64',
  channel: 'stable',
  events: [],
  updater: '0.1.0',
}
const CONFIRMED: Beacon = { ...SHORT, id: '0f1e2d3c4b5a6978', state: 'confirmed' }
const UPDATED = { n: 1795262401, kind: 'updated', version: '1.4.2', detail: '340' } as const
const ROLLED_BACK = { n: 1795262402, kind: 'rolled-back', version: '1.5.0', detail: 'no-verified-poll' } as const
const FAILED = { n: 1795262403, kind: 'failed', version: '1.5.1', detail: 'BYTES_HASH' } as const
const LONG_VERSION = `1.4.2-rc.1+${'b'.repeat(117)}`

/** By what each shows. */
const BEACONS: Readonly<Record<string, Beacon>> = {
  'switched off': SHORT,
  'nothing is installed': { ...SHORT, version: undefined },
  'without an id nothing else is said': { ...SHORT, state: 'failed', error: 'BUG', events: [UPDATED] },
  confirmed: CONFIRMED,
  'on trial, on another channel and system': {
    ...CONFIRMED,
    state: 'trial',
    channel: 'beta',
    platform: 'windows-amd64',
  },
  'failed, with the code': { ...CONFIRMED, state: 'failed', error: 'NETWORK_TIMEOUT' },
  'on trial, and the last check failed': { ...CONFIRMED, state: 'trial', error: 'NETWORK_TIMEOUT' },
  updated: { ...CONFIRMED, events: [UPDATED] },
  'rolled back': { ...CONFIRMED, state: 'rolled-back', events: [ROLLED_BACK] },
  'the oldest events come first, and the last one has no room': {
    ...CONFIRMED,
    events: [UPDATED, ROLLED_BACK, FAILED],
  },
  'no more than three': {
    ...CONFIRMED,
    name: 'a',
    channel: 'b',
    events: [1, 2, 3, 4].map((n) => ({ ...UPDATED, version: '1.0.0', detail: '1', n })),
  },
  'versions are cut': { ...CONFIRMED, version: LONG_VERSION, updater: LONG_VERSION },
  'an event goes before the error and the state': {
    ...CONFIRMED,
    version: LONG_VERSION,
    state: 'failed',
    error: 'NETWORK_TIMEOUT',
    events: [{ ...UPDATED, version: LONG_VERSION }],
  },
  'the longest names': { ...CONFIRMED, name: 'n'.repeat(64), channel: 'c'.repeat(64), version: LONG_VERSION },
  'the longest names, and a platform that nobody has': {
    ...CONFIRMED,
    name: 'n'.repeat(64),
    channel: 'c'.repeat(64),
    platform: `${'o'.repeat(16)}-${'a'.repeat(16)}`,
    version: LONG_VERSION,
    events: [UPDATED],
  },
  'a reason of any text is a word': {
    ...CONFIRMED,
    events: [{ ...ROLLED_BACK, detail: 'x; id=ffffffffffffffff) (é"\n' }],
  },
  'a reason of no text': { ...CONFIRMED, events: [{ ...ROLLED_BACK, detail: '' }] },
}

const BASE = 'heartbeat-agent/1.4.2 (linux-amd64; stable; id=0f1e2d3c4b5a6978; st=confirmed) moult/0.1.0'
const within = (members: string): string => `heartbeat-agent/1.4.2 (linux-amd64; stable${members}) moult/0.1.0`

/** By what each shows. */
const TEXTS: Readonly<Record<string, string>> = {
  'as it is sent': BASE,
  'short form': within(''),
  'unknown members, in another order': within('; zz=1; st=trial; later=a/b=c; id=0f1e2d3c4b5a6978; y'),
  'of each member the first counts': within(
    '; id=0f1e2d3c4b5a6978; id=ffffffffffffffff; st=waiting; st=trial; er=BUG; er=X',
  ),
  'a first one that is not valid still is the first': within('; id=nobody; id=0f1e2d3c4b5a6978; st=trial'),
  'a state of later versions': within('; id=0f1e2d3c4b5a6978; st=asleep'),
  'members without an id': within('; st=failed; er=BUG; ev=1/updated/1.4.2/3'),
  'an id in capitals': within('; id=0F1E2D3C4B5A6978; st=trial'),
  'an id too long': within('; id=0f1e2d3c4b5a69780; st=trial'),
  'events that are none': within(
    '; id=0f1e2d3c4b5a6978; ev=; ev=1; ev=1/updated; ev=x/updated/1.0.0/1; ev=2/vanished/1.0.0/1; ev=3/failed/1.0.0/a/b',
  ),
  'events beside one that is none': within(
    '; id=0f1e2d3c4b5a6978; ev=1/updated/1.0.0/1; ev=-2/updated/1.0.0/1; ev=3/failed/1.0.1/BYTES_HASH',
  ),
  'an update that took no number of seconds': within(
    '; id=0f1e2d3c4b5a6978; ev=1/updated/1.0.0/NaN; ev=2/updated/1.0.0/1e3',
  ),
  'an event with a number beyond 15 digits': within('; id=0f1e2d3c4b5a6978; ev=1000000000000000/updated/1.0.0/1'),
  'an error that is none': within('; id=0f1e2d3c4b5a6978; st=failed; er=<script>'),
  'an error in small letters': within('; id=0f1e2d3c4b5a6978; st=failed; er=network_timeout'),
  'a browser': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  curl: 'curl/8.5.0',
  empty: '',
  'a space before it': ` ${BASE}`,
  'a space after it': `${BASE} `,
  'a line feed after it': `${BASE}\n`,
  'something after it': `${BASE} extra/1`,
  'a name in capitals': BASE.replace('heartbeat', 'Heartbeat'),
  'no version': BASE.replace('/1.4.2', ''),
  'a version of 41 characters': BASE.replace('1.4.2', '1'.repeat(41)),
  'no platform': 'heartbeat-agent/1.4.2 (stable; id=0f1e2d3c4b5a6978) moult/0.1.0',
  'no channel': 'heartbeat-agent/1.4.2 (linux-amd64) moult/0.1.0',
  'a channel that is a path': within('').replace('stable', '../x'),
  'another updater': BASE.replace('moult', 'other'),
  'a comment within the comment': within('; (id=0f1e2d3c4b5a6978)'),
  markup: within('; id=0f1e2d3c4b5a6978; <img src=x>'),
  'an escape sequence': within('; \u001b[2J'),
  quotes: within(`; id=0f1e2d3c4b5a6978; x='"`),
  'longer than 512 characters': within(`; ${'x'.repeat(512)}`),
}

const AGENTS = [
  ['heartbeat-agent', 'i-0123456789abcdef0'],
  ['heartbeat-agent', '5f9c7f2b0d6e4a1c8b3f6d2e9a7c4b10'],
  ['collector', '5f9c7f2b0d6e4a1c8b3f6d2e9a7c4b10'],
  ['collector', 'höst-名前'],
] as const

/** File names below test/vectors/beacons and their texts. */
export function beaconVectorFiles(): Map<string, string> {
  const ids = AGENTS.map(([name, agent]) => ({ name, agent, id: beaconIdOf(name, agent) }))
  const said = Object.entries(BEACONS).map(([comment, fields]) => ({ comment, fields, text: formatBeacon(fields) }))
  const read = Object.entries(TEXTS).map(([comment, text]) => ({ comment, text, fields: parseBeacon(text) ?? null }))
  const lists = Object.entries({ ids, said, read }).map(([name, items]) => {
    return `"${name}": [\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`
  })
  return new Map([['beacons.json', `{${lists.join(',\n')}}\n`]])
}
