// What the fuzzer starts from: valid manifests of one publisher, each with an agent that accepts it. Parts of one may end
// up in another, as a hostile host can mix what was signed.

import {
  NO_FLOOR,
  parseStrictJson,
  ROLLOUT_UNSIGNED,
  statementDigest,
  type JsonObject,
  type Trust,
} from '../../manifests/index.ts'
import {
  defaultKeys,
  makeKey,
  makeManifest,
  type ManifestOptions,
  makeRoot,
  makeRootChain,
  member,
  NOW_MS,
  type TestKeys,
} from '../fixtures/signed-manifest.ts'

export interface Sample {
  readonly name: string
  readonly bytes: Uint8Array
  readonly document: JsonObject
  readonly trust: Trust
  readonly now: number
}

const keys = defaultKeys()
const small = { changelog: undefined, binaries: { 'linux-amd64': { url: 'x', sha256: 'ab'.repeat(32), size: 7 } } }
const rich = {
  min_version: '1.2.0',
  rollback_floor: '1.3.0',
  container_image: 'registry.example.com/heartbeat@sha256:00',
  changelog: 'Fixed\n\t"WAL" caf\u00e9 \u{1f600} \\ directory',
  binaries: {
    'linux-amd64': {
      url: '../bin/1.4.2/heartbeat-agent-linux-amd64',
      sha256: 'ab'.repeat(32),
      size: 18_500_000,
      unpack: 'tar',
      entry: 'bin/agent',
      hooks: { pre_update: 'hooks/check', post_update: 'hooks/migrate' },
      downloads: [
        { url: 'x.br', size: 6_100_000, sha256: 'cd'.repeat(32), encoding: 'br' },
        { url: 'x.delta', size: 410_000, sha256: 'ef'.repeat(32), encoding: 'zz', from: '01'.repeat(32) },
      ],
    },
  },
  attachments: { sbom: { url: 'bin/1.4.2/sbom.cdx.json', sha256: '45'.repeat(32), size: 9000 } },
}
const richRollout = {
  paused: false,
  salt: 'pepper',
  poll: '5m',
  rollback: ['1.4.3', '1.4.4-rc.1'],
  previous: '23'.repeat(32),
  stages: [
    { at: '2026-11-21T02:00:00Z', percent: 5 },
    { at: '2026-11-22T02:00:00.500Z', percent: 25 },
  ],
  later: { deep: [[1, -2, { a: null }]] },
}
const before = { version: '1.4.1', release: 'ef'.repeat(32), url: 'releases/1.4.1.json' }
const flag = {
  shares: [
    { value: 'new', percent: 30 },
    { value: 7, percent: 70 },
  ],
  salt: 'parser',
}
const ruledRollout = {
  spread: '30m',
  base: '../',
  fallback: before,
  flags: { parser: flag, 'dark.mode': { shares: [{ value: true, percent: 50 }] } },
  rules: [
    { match: { labels: { ring: ['canary', 'beta'] } }, stages: [{ at: '2026-11-21T02:00:00Z', percent: 100 }] },
    { match: { ids: ['web-1', 'web-2'], platforms: ['linux-amd64'] }, pin: { ...before, version: '1.3.0' } },
    { match: { versions: ['>=1.0.0 <1.2.0'] }, hold: true, flags: { parser: flag } },
    { match: {}, windows: [{ start: '22:00', end: '04:00', days: ['fri'], timezone: 'Europe/Berlin' }] },
  ],
}
const three: TestKeys = {
  ...keys,
  release: [...keys.release, makeKey('release b'), makeKey('release c')],
  rollout: [...keys.rollout, makeKey('rollout b')],
}
const rotated: TestKeys = { ...keys, release: [makeKey('release 2')], rollout: [makeKey('rollout 2')] }
const rerooted: TestKeys = { ...rotated, root: [makeKey('root 2')] }
const same = makeManifest()
const sameFloor = { sequence: 42, digest: statementDigest(member(same.document, 'rollout'), ROLLOUT_UNSIGNED) }

const OPTIONS: readonly (readonly [name: string, options: ManifestOptions])[] = [
  ['small', { release: small }],
  ['small, of an older release', { release: { ...small, version: '1.4.1' }, rollout: { sequence: 41 } }],
  ['small, the next rollout', { release: small, rollout: { sequence: 43, paused: true } }],
  [
    'small, at the floor',
    { release: small, rollout: { sequence: 44 }, floor: { sequence: 43, digest: '0'.repeat(64) } },
  ],
  ['plain, accepted before', { floor: sameFloor }],
  ['rich', { release: rich, rollout: richRollout }],
  ['with rules', { release: small, rollout: ruledRollout }],
  [
    'two of three',
    {
      release: small,
      keys: three,
      pinned: makeRoot({ keys: three, thresholds: { release: 2, rollout: 2 } }),
      releaseSigners: three.release.slice(1),
    },
  ],
  [
    'with a chain that resets the floor',
    {
      release: small,
      keys: rerooted,
      pinned: makeRoot(),
      chain: makeRootChain(3, (version) => ({ keys: version === 1 ? keys : version === 2 ? rotated : rerooted })),
      floor: { sequence: Number.MAX_SAFE_INTEGER, digest: '0'.repeat(64) },
    },
  ],
]

/** Index of the first sample that carries a chain: it costs several times as much as the others. */
export const FIRST_WITH_CHAIN = OPTIONS.length - 1

export const CORPUS: readonly Sample[] = OPTIONS.map(([name, options]) => {
  const serialise = (document: JsonObject): string => JSON.stringify(document)
  const { bytes, trust, document } = makeManifest({ serialise, ...options })
  return { name, bytes, document, trust: { ...trust, floor: options.floor ?? NO_FLOOR }, now: NOW_MS }
})

/** Every root document that a walk may end at: the pinned ones and their signed successors. */
export const GENUINE_ROOTS: readonly JsonObject[] = CORPUS.flatMap(({ document, trust }) => {
  const chain = parseStrictJson(new TextEncoder().encode(JSON.stringify(document['trust'] ?? [])))
  return [trust.root.document, ...(chain as JsonObject[])]
})

const thief = makeKey('thief')
const stolen: TestKeys = { root: [thief], release: [thief], rollout: [thief] }

/** Sound documents by somebody else, which sign themselves and follow nothing. */
export const ROGUE_ROOTS: readonly JsonObject[] = [2, 3, 4].map((version) => makeRoot({ version, keys: stolen }))
