import assert from 'node:assert/strict'
import { test } from 'node:test'

import { shape } from '../../../manifests/index.ts'
import { parseFlags, printFlags } from '../../../release/rollout/flag-text.ts'
import type { RuleDraft } from '../../../release/rollout/rule-draft.ts'
import { parseRule, printRule } from '../../../release/rollout/rule-text.ts'
import { describeRule } from '../../../release/rollout/rule-words.ts'
import { Random, testSeed } from '../../fuzz/random.ts'

const HOUR_MS = 3_600_000

const READ: readonly (readonly [text: string, draft: RuleDraft])[] = [
  ['all -> hold', { match: {}, hold: true }],
  [
    'label:ring=canary|beta -> 100%',
    { match: { labels: { ring: ['canary', 'beta'] } }, stages: [{ afterMs: 0, percent: 100 }] },
  ],
  [
    'label:ring=canary & label:site=eu-1&platform:linux-amd64|linux-arm64 -> 0h:5%,24h:50%',
    {
      match: { labels: { ring: ['canary'], site: ['eu-1'] }, platforms: ['linux-amd64', 'linux-arm64'] },
      stages: [
        { afterMs: 0, percent: 5 },
        { afterMs: 24 * HOUR_MS, percent: 50 },
      ],
    },
  ],
  ['id:a|"b | c"|höst-名前 -> pin 1.3.0', { match: { ids: ['a', 'b | c', 'höst-名前'] }, pin: '1.3.0' }],
  ['version:<1.2.0|>=1.3.0 <1.4.0->hold', { match: { versions: ['<1.2.0', '>=1.3.0 <1.4.0'] }, hold: true }],
  [
    'all -> window sat,sun 02:00-05:00 Europe/Berlin | 23:00-01:00',
    {
      match: {},
      windows: [
        { start: '02:00', end: '05:00', days: ['sat', 'sun'], timezone: 'Europe/Berlin' },
        { start: '23:00', end: '01:00' },
      ],
    },
  ],
  [
    'all -> flag parser=new 50%, old 50%; flag limit=7; flag text="a, b; c -> d" 10%; flag on=true 0%',
    {
      match: {},
      flags: {
        parser: {
          shares: [
            { value: 'new', percent: 50 },
            { value: 'old', percent: 50 },
          ],
        },
        limit: { shares: [{ value: 7, percent: 100 }] },
        text: { shares: [{ value: 'a, b; c -> d', percent: 10 }] },
        on: { shares: [{ value: true, percent: 0 }] },
      },
    },
  ],
]

for (const [text, draft] of READ)
  test(`a rule is read: ${text}`, () => {
    assert.deepEqual(parseRule(text, '--rule'), draft)
    assert.deepEqual(parseRule(printRule(draft), '--rule'), draft)
  })

const REFUSED: readonly (readonly [text: string, message: RegExp, nearest?: string])[] = [
  ['', /^--rule: expected a rule such as .*label:ring=canary/],
  ['label:ring=canary', /expected a rule .* with one arrow, got "label:ring=canary"/],
  ['all -> hold -> hold', /one arrow/],
  ['lable:ring=canary -> hold', /expected a condition: .*, got "lable"/, 'label'],
  ['all & id:a -> hold', /expected a condition: all alone/],
  ['label:ring -> hold', /expected a label such as label:ring=canary\|beta, got "label:ring"/],
  ['label:Ring=canary -> hold', /a name of the form .* in labels\.Ring/],
  ['label:ring=canary beta -> hold', /expected a label of letters, digits/],
  ['label:ring=a & label:ring=b -> hold', /each label once/],
  ['id:a & id:b -> hold', /each kind of condition once/],
  ['id: -> hold', /expected a value, or several divided by \|/],
  ['id:"a -> hold', /one arrow/],
  ['id:a"b -> hold', /one arrow/],
  ['id:"a"b" -> hold"', /one arrow/],
  ['platform:linux -> hold', /expected a platform such as linux-amd64/],
  ['version:^1.2.0 -> hold', /expected versions such as 1\.4\.2 or >=1\.2\.0 <2\.0\.0/],
  ['all -> ', /expected an effect/],
  ['all -> helt', /expected an effect: .*, got "helt"/, 'hold'],
  ['all -> hold it', /expected hold with nothing behind it/],
  ['all -> 101%', /expected a share such as 100%/],
  ['all -> 24h:50%,0h:5%', /expected a share such as 100%, or stages/],
  ['all -> 50%; hold', /expected only one of a share, pin and hold/],
  ['all -> pin 1.3', /expected a pin such as pin 1\.3\.0/],
  ['all -> window 2:00-5:00', /expected a window such as/],
  ['all -> window 02:00-25:00', /expected a time of day/],
  ['all -> window sut 02:00-05:00', /expected days of sun, mon/, 'sun'],
  ['all -> window 02:00-05:00 Europe/Berlim', /expected a time zone/],
  ['all -> window 02:00-05:00; window 06:00-07:00', /one window effect/],
  ['all -> flag parser', /expected a flag such as parser=new 50%/],
  ['all -> flag parser=new, old', /with a percent for each of several values/],
  ['all -> flag parser=new one', /with a percent/],
  ['all -> flag parser=new 60%, old 60%', /at most 100 percent together/],
  ['all -> flag a=1; flag a=2', /each flag once/],
]

for (const [text, message, nearest] of REFUSED)
  test(`no rule: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseRule(text, '--rule'),
      (error: unknown) => {
        assert.ok(error instanceof shape.ShapeMismatch, String(error))
        assert.match(error.message, message)
        if (nearest !== undefined) assert.equal(error.nearest, nearest)
        return true
      },
    )
  })

test('every rule that can be written is read again as it was', () => {
  const seed = testSeed()
  const random = new Random(seed)
  for (let turn = 0; turn < 3000; turn += 1) {
    const draft = randomDraft(random)
    const text = printRule(draft)
    assert.deepEqual(parseRule(text, '--rule'), draft, `${text}\nMOULT_TEST_SEED=${seed}`)
  }
})

test('a flag keeps the type of its value, also where the text of another type looks like it', () => {
  for (const value of [true, false, 0, -7, 9007199254740991, 'true', '0', '-7', '007', 'a b', '50%', '', '"', 'é', '-'])
    assert.deepEqual(parseFlags(printFlags({ x: { shares: [{ value, percent: 30 }] } }), '--flag'), {
      x: { shares: [{ value, percent: 30 }] },
    })
})

test('a rule in plain words says who gets what since when', () => {
  const now = Date.UTC(2026, 10, 21, 12)
  const at = '2026-11-21T10:00:00Z'
  for (const [rule, words] of [
    [
      { match: { labels: { ring: ['canary'] } }, stages: [{ at, percent: 100 }] },
      'agents with label ring canary: 100 % since 2026-11-21',
    ],
    [{ match: {}, hold: true }, 'all agents: held where they are'],
    [
      { match: { ids: ['a'], versions: ['<1.2.0'] }, stages: [{ at: '2026-11-22T10:00:00Z', percent: 5 }] },
      'agents with id a and that run <1.2.0: 5 % from 2026-11-22T10:00:00Z',
    ],
  ] as const)
    assert.equal(describeRule(structuredClone(rule) as Parameters<typeof describeRule>[0], now), words)
})

function randomDraft(random: Random): RuleDraft {
  const some = <T>(max: number, make: () => T): T[] => Array.from({ length: 1 + random.below(max) }, make)
  const unique = <T>(values: T[]): T[] => [...new Set(values)]
  const label = (): string => random.pick(['a', 'canary', 'eu-1', 'x.y_z', 'B2'])
  const text = (): string =>
    random.pick(['a', 'b c', 'x|y', 'p & q', '->', '"', '\\', 'é名', 'k=v', ';', ',', '1', '%'])
  const version = (): string => random.pick(['1.2.0', '2.0.0-rc.1', '1.0.0+5', '0.0.1-a-b'])
  const maybe = <T>(value: T): T | undefined => (random.below(2) === 0 ? value : undefined)
  const match = defined({
    labels: maybe(Object.fromEntries(some(3, () => [random.pick(['ring', 'site', 'a/b']), some(3, label)]))),
    ids: maybe(some(4, text)),
    platforms: maybe(some(2, () => random.pick(['linux-amd64', 'windows-arm64']))),
    versions: maybe(some(3, () => random.pick([version(), `<${version()}`, `>=${version()} <=${version()}`]))),
  })
  let afterMs = -1
  let percent = 0
  const stages = some(4, () => {
    afterMs += 1 + random.below(100 * HOUR_MS)
    percent = Math.min(100, percent + random.below(40))
    return { afterMs, percent }
  })
  const value = () => random.pick<string | number | boolean>([text(), random.below(1000), true, false])
  const flags = Object.fromEntries(
    some(3, () => [
      random.pick(['parser', 'a.b-c', 'x_1']),
      { shares: some(3, () => ({ value: value(), percent: random.below(34) })) },
    ]),
  )
  const windows = some(3, () => ({
    start: '02:00',
    end: random.pick(['05:00', '01:30']),
    ...defined({
      days: maybe(unique(some(7, () => random.pick(['mon', 'sat', 'sun'] as const)))),
      timezone: maybe('Europe/Berlin'),
    }),
  }))
  const effects = [{ hold: true as const }, { pin: version() }, { stages }, {}]
  const draft = {
    match,
    ...random.pick<Partial<RuleDraft>>(effects),
    ...defined({ windows: maybe(windows), flags: maybe(flags) }),
  }
  return Object.keys(draft).length > 1 ? draft : { ...draft, hold: true }
}

function defined<T extends Record<string, unknown>>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
