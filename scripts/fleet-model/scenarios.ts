import type { FleetPlan, Publication } from './fleet-plan.ts'

const INTERVAL_S = 300
const HOUR_S = 3600
const FIRST: Publication = { atS: 0, version: '1.0.0' }
const NEXT: Publication = { atS: 1200, version: '1.1.0' }
/** Each 20 minutes, where a real rollout would take days: the fleet sees the same things. */
const STAGES = [
  [0, 5],
  [1200, 25],
  [2400, 50],
  [3600, 100],
] as const

type Scenario = Omit<FleetPlan, 'agents' | 'seed'> & { readonly title: string }

const span = (name: string, fromS: number, toS: number, intervalS = INTERVAL_S) => ({ name, fromS, toS, intervalS })
const OUTAGE = { fromS: 1800, toS: 1800 + HOUR_S }
const OUTAGE_SPANS = [
  span('before', INTERVAL_S, OUTAGE.fromS),
  span('during', OUTAGE.fromS, OUTAGE.toS),
  span('hour after', OUTAGE.toS, OUTAGE.toS + HOUR_S),
  span('later', OUTAGE.toS + HOUR_S, OUTAGE.toS + 3 * HOUR_S),
]

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  boot: {
    title: 'All boot in the same second',
    durationS: HOUR_S + INTERVAL_S,
    publications: [FIRST],
    spans: [
      span('first interval', 0, INTERVAL_S),
      span('second interval', INTERVAL_S, 2 * INTERVAL_S),
      span('hour', INTERVAL_S, HOUR_S + INTERVAL_S),
    ],
  },
  reboots: {
    title: 'All reboot in the same second, three times, the last time a minute after the second',
    durationS: 2 * HOUR_S,
    publications: [FIRST],
    rebootsS: [1800, 3600, 3660],
    spans: [span('second interval to end', INTERVAL_S, 2 * HOUR_S), span('after the last', 3660, 2 * HOUR_S)],
  },
  outage: {
    title: 'The host is gone for an hour',
    durationS: OUTAGE.toS + 3 * HOUR_S,
    publications: [FIRST],
    outages: [OUTAGE],
    spans: OUTAGE_SPANS,
  },
  'outage-503': {
    title: 'The host answers 503 for an hour, with Retry-After an hour',
    durationS: OUTAGE.toS + 3 * HOUR_S,
    publications: [FIRST],
    outages: [{ ...OUTAGE, retryAfterS: HOUR_S }],
    spans: OUTAGE_SPANS,
  },
  stage: {
    title: 'A release for everybody at once',
    durationS: HOUR_S,
    publications: [FIRST, NEXT],
    spans: [
      span('before', INTERVAL_S, NEXT.atS),
      span('interval of the release', NEXT.atS, NEXT.atS + INTERVAL_S),
      span('later', NEXT.atS + 2 * INTERVAL_S, HOUR_S),
    ],
  },
  spread: {
    title: 'A release for everybody, spread over an hour',
    durationS: 2 * HOUR_S,
    publications: [FIRST, { ...NEXT, rollout: { spread: '1h' } }],
    spans: [
      span('before', INTERVAL_S, NEXT.atS),
      span('spread', NEXT.atS, NEXT.atS + HOUR_S),
      span('later', NEXT.atS + HOUR_S + 2 * INTERVAL_S, 2 * HOUR_S),
    ],
  },
  stages: {
    title: 'Stages of 5, 25, 50 and 100 percent, 20 minutes each',
    durationS: 2 * HOUR_S,
    publications: [FIRST, { ...NEXT, stages: STAGES }],
    spans: [span('second interval to end', INTERVAL_S, 2 * HOUR_S)],
  },
  clocks: {
    title: 'The same stages, and one clock in ten is wrong by up to 12 hours',
    durationS: 2 * HOUR_S,
    publications: [FIRST, { ...NEXT, stages: STAGES }],
    clocks: { share: 0.1, mostS: 12 * HOUR_S },
    spans: [span('second interval to end', INTERVAL_S, 2 * HOUR_S)],
  },
  edges: {
    title: 'Twenty edges, two of which serve the old manifest for half an hour',
    durationS: 2 * HOUR_S,
    publications: [FIRST, NEXT],
    edges: { count: 20, lagS: 60, stuck: { count: 2, fromS: 600, toS: 3000 }, roaming: 0.2 },
    spans: [span('second interval to end', INTERVAL_S, 2 * HOUR_S)],
  },
  interval: {
    title: 'The interval goes from 5 minutes to 1, back to 5, and to 12',
    durationS: 3 * HOUR_S,
    publications: [
      FIRST,
      { atS: 1800, version: '1.0.0', rollout: { poll: '1m' } },
      { atS: HOUR_S, version: '1.0.0', rollout: { poll: '5m' } },
      { atS: 2 * HOUR_S, version: '1.0.0', rollout: { poll: '12m' } },
    ],
    spans: [
      span('5 minutes', INTERVAL_S, 1800),
      span('to 1 minute', 1800, HOUR_S, 60),
      span('back to 5, first minute', HOUR_S, HOUR_S + 66, 60),
      span('5 minutes again', HOUR_S + 66, 2 * HOUR_S),
      span('to 12, first interval', 2 * HOUR_S, 2 * HOUR_S + 330),
      span('12 minutes', 2 * HOUR_S + 330, 3 * HOUR_S, 720),
    ],
  },
}
