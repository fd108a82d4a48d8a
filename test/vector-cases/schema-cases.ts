// Formats, members and their limits (SPEC.md 3). All of these are properly signed.

import type { ErrorCode, JsonObject, JsonValue } from '../../manifests/index.ts'
import { makeRoot, member, type Overrides } from '../fixtures/signed-manifest.ts'
import { accepts, refuses, type VectorCase } from './vector.ts'

const SCHEMA: ErrorCode = 'ERR_MANIFEST_SCHEMA'
const FORMAT: ErrorCode = 'ERR_MANIFEST_FORMAT'

function release(name: string, comment: string, overrides: Overrides, twin?: string): VectorCase {
  return refuses(`schema-${name}`, SCHEMA, comment, { release: overrides }, twin)
}

function rollout(name: string, comment: string, overrides: Overrides, twin?: string): VectorCase {
  return refuses(`schema-${name}`, SCHEMA, comment, { rollout: overrides }, twin)
}

/** A release with one binary, and these members of it. */
function binary(overrides: Overrides, platform = 'linux-amd64'): Overrides {
  const members = { url: 'bin/1.4.2/heartbeat-agent', sha256: 'ab'.repeat(32), size: 7, ...overrides }
  const kept = Object.entries(members).filter(([, value]) => value !== undefined)
  return { binaries: { [platform]: Object.fromEntries(kept) as JsonObject } }
}

function badBinary(name: string, comment: string, overrides: Overrides, twin = 'valid-one-binary'): VectorCase {
  return release(`binary-${name}`, comment, binary(overrides), twin)
}

const platforms = (count: number): Overrides => ({
  binaries: Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`os${i}-amd64`, { url: 'x', sha256: 'ab'.repeat(32), size: 1 }]),
  ),
})
const download = (overrides: JsonObject = {}): JsonObject => ({
  url: 'x.br',
  size: 3,
  sha256: 'cd'.repeat(32),
  ...overrides,
})
const downloads = (count: number): Overrides => binary({ downloads: Array.from({ length: count }, () => download()) })
const stages = (count: number): Overrides => ({
  stages: Array.from({ length: count }, () => ({ at: '2026-11-21T02:00:00Z', percent: 1 })),
})
const stage = (percent: JsonValue, more: JsonObject = {}): Overrides => ({
  stages: [{ at: '2026-11-21T02:00:00Z', percent, ...more }],
})
const attachment = (more: Overrides = {}): JsonObject => {
  const members = { url: 'bin/1.4.2/sbom.cdx.json', sha256: 'ab'.repeat(32), size: 7, ...more }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null))
}
const attachments = (count: number, more: Overrides = {}): Overrides => ({
  attachments: Object.fromEntries(Array.from({ length: count }, (_, index) => [`file_${index}`, attachment(more)])),
})
const version = (text: JsonValue): Overrides => ({ version: text })
const released = (text: JsonValue): Overrides => ({ release_date: text })
/** A version of `length` characters. */
const longVersion = (length: number): string => `1.0.0-${'a'.repeat(length - 6)}`

export const SCHEMA_CASES: readonly VectorCase[] = [
  refuses('format-later', FORMAT, 'A release of a later format.', { release: { format: 'moult/2' } }),
  refuses('format-missing', FORMAT, 'No format.', { release: { format: undefined } }),
  refuses('format-number', FORMAT, 'A format is text.', { release: { format: 1 } }),
  refuses('format-of-rollout', FORMAT, 'A rollout of another format.', { rollout: { format: 'moult/1' } }),
  refuses('format-of-rollout-missing', FORMAT, 'A rollout without a format.', { rollout: { format: undefined } }),
  refuses('root-as-manifest', FORMAT, 'A signed root document.', { serialise: () => JSON.stringify(makeRoot()) }),
  refuses('rollout-as-manifest', FORMAT, 'A signed rollout alone.', { serialise: (d) => JSON.stringify(d['rollout']) }),
  refuses('manifest-in-array', SCHEMA, 'An array around the manifest.', { serialise: (d) => `[${JSON.stringify(d)}]` }),
  refuses('manifest-null', SCHEMA, 'null.', { serialise: () => 'null' }),
  refuses('manifest-in-string', SCHEMA, 'A string.', { serialise: (d) => JSON.stringify(JSON.stringify(d)) }),

  ...['name', 'version', 'release_date', 'binaries'].flatMap((name) => [
    release(`without-${name}`, 'A required member.', { [name]: undefined }),
    release(`${name}-null`, 'A required member.', { [name]: null }),
  ]),
  ...['name', 'channel', 'release', 'sequence', 'issued', 'expires', 'stages'].flatMap((name) => [
    rollout(`rollout-without-${name}`, 'A required member.', { [name]: undefined }),
    rollout(`rollout-${name}-null`, 'A required member.', { [name]: null }),
  ]),
  refuses('without-rollout', SCHEMA, 'A release alone.', { edit: (document) => void delete document['rollout'] }),
  refuses('rollout-array', SCHEMA, 'A rollout is an object.', {
    edit(document) {
      document['rollout'] = [member(document, 'rollout')]
    },
  }),

  accepts('valid-long-name', 'A name of 64 characters.', named('a'.repeat(64))),
  refuses(
    'schema-name-of-65',
    SCHEMA,
    '65 characters.',
    { ...named('a'.repeat(64)), release: { name: 'a'.repeat(65) } },
    'valid-long-name',
  ),
  release('name-upper-case', 'Names are in lower case.', { name: 'Heartbeat-agent' }),
  release('name-path', 'A name is no path.', { name: '../heartbeat-agent' }),
  release('name-line-feed', 'A name ends where it ends.', { name: 'heartbeat-agent\n' }),

  accepts('valid-pre-release', 'A version with everything.', { release: version('1.0.0-rc.1+build.5-x.007') }),
  accepts('valid-long-version', '128 characters.', { release: version(longVersion(128)) }),
  accepts('valid-large-version', 'The largest number in a version.', { release: version('9007199254740991.0.0') }),
  release('version-of-129', '129 characters.', version(longVersion(129)), 'valid-long-version'),
  release('version-number-too-large', '2^53.', version('9007199254740992.0.0'), 'valid-large-version'),
  release('version-v', 'No v.', version('v1.4.2')),
  release('version-short', 'Three numbers.', version('1.4')),
  release('version-leading-zero', 'No leading zero.', version('1.04.2')),
  release('version-space', 'No white space.', version('1.4.2 ')),
  release('version-line-feed', 'No white space.', version('1.4.2\n')),
  release('version-path', 'A version becomes a directory.', version('1.4.2/../x')),
  release('version-empty-identifier', 'No empty identifier.', version('1.4.2-a..b'), 'valid-pre-release'),
  release('version-zero-identifier', 'No leading zero before the plus.', version('1.4.2-01'), 'valid-pre-release'),
  release('version-other-digits', 'ASCII digits.', version('1.4.\u0662')),
  release('min-version', 'No version.', { min_version: '1' }),
  release('rollback-floor', 'No version.', { rollback_floor: 'none' }),

  accepts('valid-milliseconds', 'Up to three decimals.', { release: released('2026-11-21T02:00:00.1Z') }),
  accepts('valid-leap-day', 'A day that exists.', { release: released('2028-02-29T23:59:59.999Z') }),
  accepts('valid-year-0', 'Four digits.', { release: released('0000-01-01T00:00:00Z') }),
  ...(
    [
      ['leap-day', 'A day that does not exist.', '2027-02-29T00:00:00Z'],
      ['century', '2100 is no leap year.', '2100-02-29T00:00:00Z'],
      ['month-13', 'A month that does not exist.', '2026-13-01T00:00:00Z'],
      ['day-0', 'A day that does not exist.', '2026-11-00T00:00:00Z'],
      ['hour-24', 'Hours end at 23.', '2026-11-21T24:00:00Z'],
      ['minute-60', 'Minutes end at 59.', '2026-11-21T02:60:00Z'],
      ['leap-second', 'No second 60.', '2026-12-31T23:59:60Z'],
      ['decimals', 'At most three decimals.', '2026-11-21T02:00:00.0000Z'],
      ['comma', 'A decimal point.', '2026-11-21T02:00:00,5Z'],
      ['bare-point', 'A point has decimals.', '2026-11-21T02:00:00.Z'],
      ['without-zone', 'Z is required.', '2026-11-21T02:00:00'],
      ['offset', 'No other zone than Z.', '2026-11-21T02:00:00+00:00'],
      ['lower-case', 'T and Z are in upper case.', '2026-11-21t02:00:00z'],
      ['space', 'T stands between.', '2026-11-21 02:00:00Z'],
      ['only-day', 'A time is needed.', '2026-11-21'],
      ['year-10000', 'Four digits.', '10000-01-01T00:00:00Z'],
      ['word', 'Not a date.', 'banana'],
      ['number', 'Text.', 1_795_226_400],
      ['line-feed', 'Nothing follows.', '2026-11-21T02:00:00Z\n'],
    ] as const
  ).map(([name, comment, text]) => release(`date-${name}`, comment, released(text), 'valid-milliseconds')),
  rollout('expires-30-february', 'A day that does not exist.', { expires: '2027-02-30T00:00:00Z' }),

  accepts('valid-one-binary', 'One platform.', { release: binary({}) }),
  accepts('valid-no-binaries', 'A release may offer nothing.', { release: { binaries: {} } }),
  accepts('valid-64-platforms', '64 platforms.', { release: platforms(64) }),
  accepts('valid-tree', 'A tree with an entry.', { release: binary({ unpack: 'tar', entry: 'bin/a+b@1.x-_' }) }),
  accepts('valid-hooks', 'Hooks, and one that no client knows.', {
    release: binary({
      unpack: 'tar',
      entry: 'bin/agent',
      hooks: { pre_update: 'hooks/check', post_update: 'hooks/migrate', later: 1 },
    }),
  }),
  accepts('valid-32-downloads', '32 downloads.', { release: downloads(32) }),
  accepts('valid-unknown-download', 'An encoding and a delta that no client knows.', {
    release: binary({ downloads: [download({ encoding: 'x'.repeat(32), from: 'ef'.repeat(32), later: 1 })], later: 1 }),
  }),
  accepts('valid-long-url', '2048 characters.', { release: binary({ url: '~'.repeat(2048) }) }),
  release('65-platforms', '65 platforms.', platforms(65), 'valid-64-platforms'),
  release('platform-upper-case', 'Names of Go.', binary({}, 'Linux-amd64'), 'valid-one-binary'),
  release('platform-bare', 'Two parts.', binary({}, 'linux'), 'valid-one-binary'),
  release('platform-three-parts', 'Two parts.', binary({}, 'linux-amd64-musl'), 'valid-one-binary'),
  release('platform-long', 'At most 16 characters each.', binary({}, `${'a'.repeat(17)}-amd64`), 'valid-one-binary'),
  release('binaries-array', 'An object.', { binaries: [] }, 'valid-no-binaries'),
  ...['url', 'sha256', 'size'].map((name) => badBinary(`without-${name}`, 'A required member.', { [name]: undefined })),
  badBinary('url-empty', 'At least one character.', { url: '' }),
  badBinary('url-of-2049', '2049 characters.', { url: '~'.repeat(2049) }, 'valid-long-url'),
  badBinary('url-space', 'No space.', { url: 'bin/a b' }),
  badBinary('url-backslash', 'No backslash.', { url: '\\\\evil\\x' }),
  badBinary('url-beyond-ascii', 'ASCII only.', { url: 'bin/\u00e9' }),
  badBinary('url-line-feed', 'No control character.', { url: 'bin/a\nb' }),
  badBinary('sha256-upper-case', 'Lower case.', { sha256: 'AB'.repeat(32) }),
  badBinary('sha256-of-63', '64 digits.', { sha256: 'a'.repeat(63) }),
  badBinary('sha256-line-feed', '64 digits and nothing else.', { sha256: `${'a'.repeat(64)}\n` }),
  badBinary('sha256-base64', 'Hexadecimal.', { sha256: `${'A'.repeat(43)}=` }),
  badBinary('size-0', 'At least 1.', { size: 0 }),
  badBinary('size-negative', 'At least 1.', { size: -1 }),
  badBinary('size-text', 'A number.', { size: '7' }),
  badBinary('size-null', 'A number.', { size: null }),
  badBinary('unpack-zip', 'file or tar.', { unpack: 'zip' }, 'valid-tree'),
  badBinary('unpack-null', 'file or tar.', { unpack: null }, 'valid-tree'),
  ...(
    [
      ['absolute', '/bin/agent'],
      ['upwards', 'bin/../../agent'],
      ['dot', './agent'],
      ['empty-part', 'bin//agent'],
      ['empty', ''],
      ['at-end', 'bin/'],
      ['backslash', 'bin\\agent'],
      ['of-513', 'a'.repeat(513)],
    ] as const
  ).map(([name, entry]) =>
    badBinary(`entry-${name}`, 'A relative path of plain parts.', { unpack: 'tar', entry }, 'valid-tree'),
  ),
  ...(
    [
      ['array', []],
      ['null', null],
      ['absolute', { pre_update: '/bin/sh' }],
      ['upwards', { post_update: 'hooks/../../sh' }],
      ['with-arguments', { pre_update: 'hooks/check --all' }],
      ['empty', { post_update: '' }],
      ['list', { pre_update: ['hooks/check'] }],
    ] as [string, JsonValue][]
  ).map(([name, hooks]) =>
    badBinary(`hooks-${name}`, 'Paths like entry.', { unpack: 'tar', entry: 'bin/agent', hooks }, 'valid-hooks'),
  ),
  release('33-downloads', '33 downloads.', downloads(33), 'valid-32-downloads'),
  badBinary('downloads-object', 'An array.', { downloads: {} }, 'valid-32-downloads'),
  ...(
    [
      ['url', 'A required member.', { url: null }],
      ['size', 'At least 1.', { size: 0 }],
      ['sha256', '64 digits.', { sha256: '' }],
      ['encoding', 'At most 32 characters.', { encoding: 'x'.repeat(33) }],
      ['from', '64 digits.', { from: 'ef' }],
    ] as const
  ).map(([name, comment, fault]) =>
    badBinary(`download-${name}`, comment, { downloads: [download(fault)] }, 'valid-unknown-download'),
  ),

  accepts('valid-long-changelog', '16384 code units: 8192 characters beyond the basic plane.', {
    release: { changelog: '\u{1f600}'.repeat(8192) },
  }),
  release(
    'changelog-too-long',
    '16385 code units.',
    { changelog: `${'\u{1f600}'.repeat(8192)}.` },
    'valid-long-changelog',
  ),
  accepts('valid-image', 'An image reference of 512 code units.', { release: { container_image: 'x'.repeat(512) } }),
  release('image-of-513', '513 code units.', { container_image: 'x'.repeat(513) }, 'valid-image'),
  release('image-two-lines', 'One line.', { container_image: 'a\nb' }, 'valid-image'),
  release('image-carriage-return', 'One line.', { container_image: 'a\rb' }, 'valid-image'),

  accepts('valid-attachments', '16 attachments, with members that no client knows.', {
    release: attachments(16, { later: 1 }),
  }),
  release('17-attachments', '17 attachments.', attachments(17), 'valid-attachments'),
  release('attachments-array', 'An object.', { attachments: [] }, 'valid-attachments'),
  ...(
    [
      ['url', 'A required member.', { url: null }],
      ['sha256', '64 digits.', { sha256: 'AB'.repeat(32) }],
      ['size', 'At least 1.', { size: 0 }],
    ] as const
  ).map(([name, comment, fault]) => release(`attachment-${name}`, comment, attachments(1, fault), 'valid-attachments')),
  release(
    'attachment-name',
    'A name of a-z, 0-9 and underscore.',
    { attachments: { 'sbom.json': attachment() } },
    'valid-attachments',
  ),

  accepts('valid-rollout-members', 'Every optional member.', {
    rollout: { paused: true, salt: 's'.repeat(128), poll: '1h30m', rollback: ['1.4.3'], previous: 'ab'.repeat(32) },
  }),
  accepts('valid-100-stages', '100 stages.', { rollout: stages(100) }),
  accepts('valid-percent-0', 'To nobody.', { rollout: stage(0) }),
  accepts('valid-largest-sequence', 'The largest sequence.', { rollout: { sequence: Number.MAX_SAFE_INTEGER } }),
  rollout('101-stages', '101 stages.', stages(101), 'valid-100-stages'),
  rollout('no-stages', 'At least one.', stages(0)),
  rollout('stage-unknown-member', 'A stage that says more than this client knows.', stage(50, { labels: ['x'] })),
  rollout('stage-without-time', 'A required member.', { stages: [{ percent: 50 }] }),
  rollout('percent-101', 'At most 100.', stage(101)),
  rollout('percent-negative', 'At least 0.', stage(-1), 'valid-percent-0'),
  rollout('percent-text', 'A number.', stage('10')),
  rollout('sequence-0', 'At least 1.', { sequence: 0 }),
  rollout('sequence-negative', 'At least 1.', { sequence: -42 }),
  rollout('sequence-text', 'A number.', { sequence: '42' }),
  rollout('release-upper-case', 'Lower case.', { release: 'AB'.repeat(32) }),
  rollout('channel-path', 'A channel is a name.', { channel: 'stable/..' }),
  rollout('paused-text', 'true or false.', { paused: 'true' }, 'valid-rollout-members'),
  rollout('salt-of-129', '129 code units.', { salt: 's'.repeat(129) }, 'valid-rollout-members'),
  rollout('salt-two-lines', 'One line.', { salt: 'a\nb' }, 'valid-rollout-members'),
  rollout('poll-words', 'A duration.', { poll: '5 minutes' }, 'valid-rollout-members'),
  rollout('poll-empty', 'A duration.', { poll: '' }, 'valid-rollout-members'),
  rollout('poll-long-number', 'At most nine digits.', { poll: '1000000000s' }, 'valid-rollout-members'),
  rollout('rollback-range', 'Versions.', { rollback: ['1.x'] }, 'valid-rollout-members'),
  rollout(
    '65-rollbacks',
    '65 versions.',
    { rollback: Array.from({ length: 65 }, () => '1.4.3') },
    'valid-rollout-members',
  ),
  rollout('previous', '64 digits.', { previous: 'ab' }, 'valid-rollout-members'),

  accepts('valid-empty-chain', 'No later roots.', { chain: [] }),
  refuses('chain-object', SCHEMA, 'An array.', { chain: {} }, 'valid-empty-chain'),
  refuses('chain-null', SCHEMA, 'An array, or nothing at all.', { chain: null }, 'valid-empty-chain'),
]

/** A manifest and a root for another name. */
function named(name: string) {
  return { pinned: makeRoot({ name }), release: { name }, rollout: { name } }
}
