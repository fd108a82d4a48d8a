// Target, binding, sequence, dates, and when the sequence floor falls (SPEC.md, "Order of checks" and "Floor reset").

import {
  type ErrorCode,
  type Floor,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  sha256,
  signedBytes,
  statementDigest,
} from '../../manifests/index.ts'
import {
  defaultKeys,
  makeKey,
  makeManifest,
  makeRelease,
  makeRoot,
  makeRootChain,
  member,
  type RootOptions,
  type TestKey,
  type TestKeys,
} from '../fixtures/signed-manifest.ts'
import { accepts, refuses, type VectorCase, type VectorOptions } from './vector.ts'

const TARGET: ErrorCode = 'ERR_TRUST_TARGET'
const BINDING: ErrorCode = 'ERR_TRUST_BINDING'
const REPLAY: ErrorCode = 'ERR_TRUST_REPLAY'
const DATE: ErrorCode = 'ERR_TRUST_DATE'

const keys = defaultKeys()
const [rolloutKey, second, stranger] = ['rollout', 'second', 'stranger'].map(makeKey) as [TestKey, TestKey, TestKey]
const OTHER_DIGEST = '5'.repeat(64)
const floor = (sequence: number, digest = OTHER_DIGEST): { floor: Floor } => ({ floor: { sequence, digest } })
/** The floor after the plain manifest was accepted. */
const accepted = {
  floor: { sequence: 42, digest: statementDigest(member(makeManifest().document, 'rollout'), ROLLOUT_UNSIGNED) },
}
const dated = (issued: string, expires: string): VectorOptions => ({ rollout: { issued, expires } })

const rolloutKeys = (...rollout: TestKey[]): TestKeys => ({ ...keys, rollout })
/** The floor is at the largest sequence, and these roots follow. */
function burnt(roots: readonly RootOptions[], more: VectorOptions = {}): VectorOptions {
  const [pinned, ...later] = roots
  const chain = makeRootChain(roots.length, (version) => roots[version - 1] ?? {})
  return {
    ...floor(Number.MAX_SAFE_INTEGER),
    pinned: makeRoot(pinned ?? {}),
    chain,
    reaches: later.length + 1,
    rollout: { sequence: 43 },
    ...more,
  }
}
const replaced: readonly RootOptions[] = [{}, { keys: rolloutKeys(second) }]
const twoOf = (threshold: number): RootOptions => ({
  keys: rolloutKeys(rolloutKey, second),
  thresholds: { rollout: threshold },
})
const bothSign = { rolloutSigners: [rolloutKey, second] }

export const STATEMENT_CASES: readonly VectorCase[] = [
  accepts('valid-channel', 'Another channel, which the agent follows.', {
    rollout: { channel: 'beta' },
    channel: 'beta',
  }),
  refuses(
    'target-channel',
    TARGET,
    'Another channel than the agent follows.',
    { rollout: { channel: 'beta' } },
    'valid-channel',
  ),
  refuses('target-release-name', TARGET, 'The release of another agent.', { release: { name: 'another-agent' } }),
  refuses('target-rollout-name', TARGET, 'The rollout of another agent.', { rollout: { name: 'another-agent' } }),
  refuses('target-both-names', TARGET, 'Another agent with the same keys.', {
    release: { name: 'another-agent' },
    rollout: { name: 'another-agent' },
  }),
  refuses('binding-another-release', BINDING, 'The rollout of an older release.', {
    rollout: { release: statementDigest(makeRelease({ version: '1.4.1' }), RELEASE_UNSIGNED) },
  }),
  refuses('binding-with-signatures', BINDING, 'The digest is over the signed bytes, without the signatures.', {
    rollout: { release: sha256(signedBytes(makeManifest().document, ['rollout'])) },
  }),
  refuses('binding-zeros', BINDING, 'Nothing has this digest.', { rollout: { release: '0'.repeat(64) } }),

  accepts('valid-next-sequence', 'One more than the floor.', floor(41)),
  accepts('valid-sequence-leap', 'Sequences may leap.', { ...floor(42), rollout: { sequence: 4_200_000 } }),
  accepts('valid-same-again', 'What was accepted before, byte for byte.', accepted),
  accepts('valid-same-other-signatures', 'Other signatures on the same rollout are no other rollout.', {
    ...accepted,
    rolloutSigners: [stranger, rolloutKey],
  }),
  accepts('valid-older-version', 'The version plays no part: an older release with a higher sequence.', {
    ...floor(41),
    release: { version: '0.9.0' },
  }),
  refuses('replay', REPLAY, 'One less than the floor.', floor(43), 'valid-next-sequence'),
  refuses(
    'replay-higher-version',
    REPLAY,
    'A higher version with a lower sequence.',
    { ...floor(43), release: { version: '99.0.0' } },
    'valid-next-sequence',
  ),
  refuses(
    'replay-largest-floor',
    REPLAY,
    'The floor is as high as it gets.',
    { ...floor(Number.MAX_SAFE_INTEGER), rollout: { sequence: Number.MAX_SAFE_INTEGER - 1 } },
    'valid-next-sequence',
  ),
  refuses(
    'equivocation',
    'ERR_TRUST_EQUIVOCATION',
    'The sequence of the floor with other content.',
    floor(42),
    'valid-same-again',
  ),
  refuses(
    'equivocation-paused',
    'ERR_TRUST_EQUIVOCATION',
    'The same release, paused.',
    { ...accepted, rollout: { paused: true } },
    'valid-same-again',
  ),

  accepts('valid-expires-next', 'It expires a millisecond after now.', {
    rollout: { expires: '2026-11-22T02:00:00.001Z' },
  }),
  refuses('expired', 'ERR_TRUST_EXPIRED', 'It expired a year ago.', { now: '2027-12-06T00:00:00Z' }),
  refuses(
    'expired-now',
    'ERR_TRUST_EXPIRED',
    'A date equal to now has passed.',
    { rollout: { expires: '2026-11-22T02:00:00Z' } },
    'valid-expires-next',
  ),
  refuses(
    'expired-decimals',
    'ERR_TRUST_EXPIRED',
    'Decimals count: .5 has passed at .500.',
    { now: '2026-11-22T02:00:00.500Z', rollout: { expires: '2026-11-22T02:00:00.5Z' } },
    'valid-expires-next',
  ),
  accepts('valid-400-days', 'Good for exactly 400 days.', dated('2026-11-21T02:00:00Z', '2027-12-26T02:00:00Z')),
  refuses(
    'date-401st-day',
    DATE,
    'Good for 400 days and a millisecond.',
    dated('2026-11-21T02:00:00Z', '2027-12-26T02:00:00.001Z'),
    'valid-400-days',
  ),
  refuses(
    'date-issued-when-it-expires',
    DATE,
    'No time between.',
    dated('2026-12-05T02:00:00Z', '2026-12-05T02:00:00Z'),
    'valid-issued-ahead',
  ),
  refuses(
    'date-issued-after-it-expires',
    DATE,
    'The wrong way round.',
    dated('2026-12-06T02:00:00Z', '2026-12-05T02:00:00Z'),
    'valid-issued-ahead',
  ),
  accepts(
    'valid-issued-ahead',
    'Issued in the future, exactly 3650 days ahead.',
    dated('2036-11-19T02:00:00Z', '2036-12-01T02:00:00Z'),
  ),
  refuses(
    'date-issued-far-ahead',
    DATE,
    '3650 days and a millisecond ahead.',
    dated('2036-11-19T02:00:00.001Z', '2036-12-01T02:00:00Z'),
    'valid-issued-ahead',
  ),
  refuses('date-clock-of-1970', DATE, 'A machine without a clock: everything is far ahead.', {
    now: '1970-01-01T00:00:00Z',
  }),
  accepts('valid-release-date-far', 'No rule depends on the date of the release.', {
    release: { release_date: '9999-12-31T23:59:59Z' },
  }),

  accepts(
    'valid-reset-key-replaced',
    'A rollout key was revoked, so the sequences that it used up are void.',
    burnt(replaced, { rolloutSigners: [second] }),
  ),
  accepts('valid-reset-threshold-raised', 'The role asks for more keys.', burnt([twoOf(1), twoOf(2)], bothSign)),
  accepts(
    'valid-reset-on-the-way',
    'A key that was taken out and put back was revoked all the same.',
    burnt([{}, { keys: rolloutKeys(second) }, {}]),
  ),
  accepts('valid-no-reset', 'Without a reset, the digest of the floor still counts.', {
    ...burnt([{}, {}]),
    ...accepted,
    rollout: {},
  }),
  refuses(
    'reset-not-by-root',
    REPLAY,
    'A new root with the same rollout key.',
    burnt([{}, {}]),
    'valid-reset-key-replaced',
  ),
  refuses(
    'reset-not-by-release-key',
    REPLAY,
    'Another release key.',
    burnt([{}, { keys: { ...keys, release: [second] } }], { releaseSigners: [second] }),
    'valid-reset-key-replaced',
  ),
  refuses(
    'reset-not-by-added-key',
    REPLAY,
    'A rollout key more.',
    burnt([{}, { keys: rolloutKeys(rolloutKey, second) }]),
    'valid-reset-key-replaced',
  ),
  refuses(
    'reset-not-by-threshold-lowered',
    REPLAY,
    'The role asks for less.',
    burnt([twoOf(2), twoOf(1)], bothSign),
    'valid-reset-threshold-raised',
  ),
  refuses(
    'reset-stays',
    'ERR_TRUST_SIGNATURE',
    'The reset is stored, although the manifest is refused.',
    burnt(replaced, { resets: true }),
    'valid-reset-key-replaced',
  ),
]
