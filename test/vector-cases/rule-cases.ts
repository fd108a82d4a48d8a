// Rules, flags and what else a rollout says of other releases (SPEC.md 3). All of these are properly signed.

import type { JsonObject, JsonValue } from '../../manifests/index.ts'
import { accepts, refuses, type VectorCase } from './vector.ts'

const TWIN = 'valid-rules'
const STAGES = [{ at: '2026-11-21T02:00:00Z', percent: 50 }]
const REF = { version: '1.4.1', release: 'ab'.repeat(32), url: 'releases/1.4.1.json' }
const WINDOW = { start: '22:00', end: '04:00', days: ['fri', 'sat'], timezone: 'Europe/Berlin' }
const FLAG = {
  shares: [
    { value: 'new', percent: 30 },
    { value: 'old', percent: 70 },
  ],
  salt: 'parser',
}
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const rules = (...list: readonly JsonObject[]) => ({ rollout: { rules: [...list] } })
const matching = (match: JsonObject) => rules({ match, stages: STAGES })
const labels = (value: JsonValue) => matching({ labels: value })
const flags = (value: JsonValue) => ({ rollout: { flags: value } })
const flag = (more: JsonObject) => flags({ parser: { ...FLAG, ...more } })
const shares = (...list: readonly [value: JsonValue, percent: JsonValue][]) =>
  flag({ shares: list.map(([value, percent]) => ({ value, percent })) })
const windows = (...list: readonly JsonObject[]) => rules({ match: {}, windows: [...list] })

type Rollout = { readonly rollout: JsonObject }
const bad = (name: string, comment: string, options: Rollout, twin = TWIN): VectorCase =>
  refuses(`schema-${name}`, 'ERR_MANIFEST_SCHEMA', comment, options, twin)

export const RULE_CASES: readonly VectorCase[] = [
  accepts('valid-rules', 'Rules with every condition and every effect, and the first of each kind.', {
    rollout: {
      rules: [
        { match: { labels: { ring: ['canary', 'Beta_2'], 'site/zone-1': ['x'] } }, stages: STAGES, hold: false },
        { match: { ids: ['web-1', 'höst-名前'], platforms: ['linux-amd64'] }, pin: { ...REF, later: 1 } },
        { match: { versions: ['1.2.0', '>=1.0.0 <2.0.0-rc.1', '<=1.0.0', '>0.1.0+b'] }, hold: true },
        { match: {}, windows: [WINDOW, { start: '00:00', end: '00:00' }], flags: { parser: FLAG } },
      ],
    },
  }),
  accepts('valid-no-rules', 'An empty list.', rules()),
  accepts('valid-100-rules', '100 rules.', rules(...times(100, () => ({ match: {} })))),
  accepts(
    'valid-1000-ids',
    '1000 ids, each of 128 code units at most.',
    matching({ ids: ['x'.repeat(128), ...times(999, (i) => `web-${i}`)] }),
  ),
  accepts(
    'valid-unknown-zone',
    'A zone that this client does not know never opens, and refuses nothing.',
    windows({ ...WINDOW, timezone: 'Mars/Olympus' }),
  ),
  accepts(
    'valid-flags',
    'Every kind of value.',
    shares(['x'.repeat(256), 10], [-9007199254740991, 20], [true, 0], ['', 70]),
  ),
  accepts('valid-100-flags', '100 flags.', flags(Object.fromEntries(times(100, (i) => [`f${i}`, FLAG])))),
  accepts('valid-fallback', 'A release for those that this one is held back from.', {
    rollout: { fallback: { ...REF, later: 1 } },
  }),
  accepts('valid-base', 'Eight levels up.', { rollout: { base: '../'.repeat(8), spread: '1h30m' } }),

  bad('rules-object', 'An array.', { rollout: { rules: {} } }),
  bad('101-rules', '101 rules.', rules(...times(101, () => ({ match: {} }))), 'valid-100-rules'),
  bad(
    'rule-unknown-member',
    'A rule that says more than this client knows.',
    rules({ match: {}, stages: STAGES, unless: {} }),
  ),
  bad('rule-without-match', 'A required member.', rules({ stages: STAGES })),
  bad('rule-match-unknown-member', 'A condition that this client does not know.', matching({ sites: ['berlin'] })),
  bad('rule-stages-and-hold', 'Two of stages, pin and hold.', rules({ match: {}, stages: STAGES, hold: true })),
  bad('rule-stages-and-pin', 'Two of stages, pin and hold.', rules({ match: {}, stages: STAGES, pin: REF })),
  bad('rule-pin-and-hold', 'Two of stages, pin and hold.', rules({ match: {}, pin: REF, hold: true })),
  bad('rule-hold-text', 'true or false.', rules({ match: {}, hold: 'true' })),
  bad('rule-no-stages', 'At least one.', rules({ match: {}, stages: [] })),
  bad(
    'rule-pin-without-release',
    'A required member.',
    rules({ match: {}, pin: { version: REF.version, url: REF.url } }),
  ),
  bad('rule-pin-version', 'A version, and no range.', rules({ match: {}, pin: { ...REF, version: '>=1.4.1' } })),
  bad('rule-labels-empty', 'At least one label.', labels({})),
  bad('rule-33-labels', '33 labels.', labels(Object.fromEntries(times(33, (i) => [`l${i}`, ['x']])))),
  bad('rule-label-values-empty', 'At least one value.', labels({ ring: [] })),
  bad('rule-label-text', 'An array of values.', labels({ ring: 'canary' })),
  bad('rule-label-name', 'Lower case.', labels({ Ring: ['canary'] })),
  bad('rule-label-name-at-end', 'Ends in a letter or a digit.', labels({ 'ring/': ['canary'] })),
  bad('rule-label-name-of-64', '64 characters.', labels({ ['r'.repeat(64)]: ['canary'] })),
  bad('rule-label-value', 'No space.', labels({ ring: ['a b'] })),
  bad('rule-label-value-empty', 'At least one character.', labels({ ring: [''] })),
  bad('rule-ids-empty', 'At least one id.', matching({ ids: [] })),
  bad('rule-1001-ids', '1001 ids.', matching({ ids: times(1001, (i) => `web-${i}`) }), 'valid-1000-ids'),
  bad('rule-id-of-129', '129 code units.', matching({ ids: ['x'.repeat(129)] }), 'valid-1000-ids'),
  bad('rule-id-two-lines', 'One line.', matching({ ids: ['a\nb'] })),
  bad('rule-platform', 'A platform.', matching({ platforms: ['linux'] })),
  ...(
    [
      ['caret', '^1.2.0'],
      ['wildcard', '1.x'],
      ['empty', ''],
      ['two-spaces', '>=1.0.0  <2.0.0'],
      ['space-at-end', '>=1.0.0 '],
      ['five', '>1.0.0 >1.0.1 >1.0.2 >1.0.3 >1.0.4'],
      ['equals', '=1.0.0'],
      ['v', '>=v1.0.0'],
    ] as const
  ).map(([name, range]) =>
    bad(`rule-range-${name}`, 'A version, or up to four comparators.', matching({ versions: [range] })),
  ),
  bad('rule-17-ranges', '17 ranges.', matching({ versions: times(17, () => '1.0.0') })),
  bad(
    'rule-window-unknown-member',
    'A window that says more than this client knows.',
    windows({ ...WINDOW, weeks: 2 }),
  ),
  bad('rule-window-without-end', 'A required member.', windows({ start: '22:00' })),
  bad('rule-window-time', 'A time of day.', windows({ ...WINDOW, start: '24:00' })),
  bad('rule-window-day', 'A day of the week.', windows({ ...WINDOW, days: ['friday'] })),
  bad('rule-window-no-days', 'At least one day.', windows({ ...WINDOW, days: [] })),
  bad('rule-window-zone', 'No space.', windows({ ...WINDOW, timezone: 'Europe Berlin' })),
  bad('rule-windows-empty', 'At least one window.', windows()),
  bad('flag-shares-101', '101 percent together.', shares(['new', 60], ['old', 41]), 'valid-flags'),
  bad('flag-no-shares', 'At least one.', flag({ shares: [] }), 'valid-flags'),
  bad('flag-17-shares', '17 shares.', shares(...times(17, (): [string, number] => ['x', 1])), 'valid-flags'),
  bad('flag-unknown-member', 'A flag that says more than this client knows.', flag({ only: 'x' }), 'valid-flags'),
  bad(
    'flag-share-unknown-member',
    'A share that says more than this client knows.',
    flag({ shares: [{ value: 1, percent: 1, ids: [] }] }),
    'valid-flags',
  ),
  bad('flag-value-null', 'Text, an integer, true or false.', shares([null, 1]), 'valid-flags'),
  bad('flag-value-array', 'Text, an integer, true or false.', shares([['a'], 1]), 'valid-flags'),
  bad('flag-value-of-257', '257 code units.', shares(['x'.repeat(257), 1]), 'valid-flags'),
  bad('flag-value-two-lines', 'One line.', shares(['a\nb', 1]), 'valid-flags'),
  bad('flag-percent-negative', 'At least 0.', shares(['x', -1], ['y', 50]), 'valid-flags'),
  bad('flag-name', 'Lower case.', flags({ Parser: FLAG }), 'valid-flags'),
  bad('flag-salt-two-lines', 'One line.', flag({ salt: 'a\nb' }), 'valid-flags'),
  bad('101-flags', '101 flags.', flags(Object.fromEntries(times(101, (i) => [`f${i}`, FLAG]))), 'valid-100-flags'),
  bad('rule-flag', 'As the flags of the rollout.', rules({ match: {}, flags: { parser: { shares: [] } } })),
  bad(
    'fallback-without-release',
    'A required member.',
    { rollout: { fallback: { version: REF.version, url: REF.url } } },
    'valid-fallback',
  ),
  bad('fallback-url', 'No space.', { rollout: { fallback: { ...REF, url: 'a b' } } }, 'valid-fallback'),
  bad('fallback-version', 'A version.', { rollout: { fallback: { ...REF, version: '1.4' } } }, 'valid-fallback'),
  bad('base-root', 'Upwards only.', { rollout: { base: '/' } }, 'valid-base'),
  bad('base-url', 'No other host.', { rollout: { base: 'https://example.com/' } }, 'valid-base'),
  bad('base-empty', 'At least one level.', { rollout: { base: '' } }, 'valid-base'),
  bad('base-9-levels', 'Nine levels up.', { rollout: { base: '../'.repeat(9) } }, 'valid-base'),
  bad('base-down', 'Upwards only.', { rollout: { base: '../beta/' } }, 'valid-base'),
  bad('spread-words', 'A duration.', { rollout: { spread: '30 minutes' } }, 'valid-base'),
  bad('spread-number', 'A duration.', { rollout: { spread: 30 } }, 'valid-base'),
  bad('paused-since', 'A date.', { rollout: { paused: true, paused_since: 'yesterday' } }, 'valid-rollout-members'),
]
