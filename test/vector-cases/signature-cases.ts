// Who has signed what (SPEC.md, "Signatures and thresholds").

import { createHash } from 'node:crypto'

import {
  encodeBase64,
  type ErrorCode,
  type JsonObject,
  type JsonValue,
  RELEASE_UNSIGNED,
  signedBytes,
} from '../../manifests/index.ts'
import { signWithSeed } from '../../release/signers/ed25519-seed.ts'
import { defaultKeys, makeKey, makeRelease, makeRoot, member, type TestKey } from '../fixtures/signed-manifest.ts'
import { craftSignature, littleEndian, malleate, smallPoint } from './edwards.ts'
import { accepts, refuses, type VectorCase, type VectorOptions } from './vector.ts'

const UNSIGNED: ErrorCode = 'ERR_TRUST_UNSIGNED'
const SIGNATURE: ErrorCode = 'ERR_TRUST_SIGNATURE'
const THRESHOLD: ErrorCode = 'ERR_TRUST_THRESHOLD'

const keys = defaultKeys()
const [rootKey, releaseKey, rolloutKey, second, stranger] = ['root', 'release', 'rollout', 'second', 'stranger'].map(
  makeKey,
) as [TestKey, TestKey, TestKey, TestKey, TestKey]

/** The release's signatures replaced; `good` is the one that was there, `message` what it covers. */
function signatures(replace: (good: JsonObject, message: Uint8Array) => JsonValue): VectorOptions {
  return {
    edit(document) {
      const [good] = document['signatures'] as JsonObject[]
      document['signatures'] = replace(good ?? {}, signedBytes(document, RELEASE_UNSIGNED))
    },
  }
}

const withText = (change: (sig: string) => string): VectorOptions =>
  signatures((good) => [{ ...good, sig: change(good['sig'] as string) }])
const withBytes = (change: (sig: Uint8Array) => Uint8Array): VectorOptions =>
  withText((sig) => encodeBase64(change(new Uint8Array(Buffer.from(sig, 'base64')))))
const signedInstead = (message: (document: JsonObject) => Uint8Array): VectorOptions => ({
  edit(document) {
    document['signatures'] = [
      { key: releaseKey.id, sig: encodeBase64(signWithSeed(message(document), releaseKey.seed)) },
    ]
  },
})
const noise = (n: number): string => encodeBase64(createHash('sha512').update(`noise ${n}`).digest())
const rubbish = (count: number, key = releaseKey): JsonValue[] =>
  Array.from({ length: count }, (_, n) => ({ key: key.id, sig: noise(n) }))

/** Two keys in a role that asks for both. */
const twoReleaseKeys = { ...keys, release: [releaseKey, second] }
const twoForRelease = { keys: twoReleaseKeys, pinned: makeRoot({ keys: twoReleaseKeys, thresholds: { release: 2 } }) }
const twoRolloutKeys = { ...keys, rollout: [rolloutKey, second] }
const twoForRollout = { keys: twoRolloutKeys, pinned: makeRoot({ keys: twoRolloutKeys, thresholds: { rollout: 2 } }) }

function edited(edit: (document: JsonObject) => void): VectorOptions {
  return { edit }
}

export const SIGNATURE_CASES: readonly VectorCase[] = [
  refuses(
    'unsigned-missing',
    UNSIGNED,
    'No signatures.',
    edited((document) => void delete document['signatures']),
  ),
  refuses(
    'unsigned-empty',
    UNSIGNED,
    'An empty array.',
    signatures(() => []),
  ),
  refuses(
    'unsigned-null',
    UNSIGNED,
    'No array.',
    signatures(() => null),
  ),
  refuses(
    'unsigned-object',
    UNSIGNED,
    'No array.',
    signatures((good) => good),
  ),
  refuses(
    'unsigned-text',
    UNSIGNED,
    'No array.',
    signatures((good) => good['sig'] ?? null),
  ),
  refuses(
    'unsigned-only-rubbish',
    UNSIGNED,
    'No entry has the form of a signature.',
    signatures(() => [null, 1, 'x', [], {}]),
  ),
  refuses(
    'unsigned-key-in-upper-case',
    UNSIGNED,
    'A key id is in lower case.',
    signatures((good) => [{ ...good, key: releaseKey.id.toUpperCase() }]),
  ),
  refuses(
    'unsigned-without-key',
    UNSIGNED,
    'No key id.',
    signatures((good) => [{ sig: good['sig'] ?? null }]),
  ),
  refuses(
    'unsigned-long-text',
    UNSIGNED,
    'More than 128 characters.',
    withText((sig) => sig + 'A'.repeat(41)),
  ),
  refuses(
    'unsigned-rollout',
    UNSIGNED,
    'The release is signed, the rollout is not.',
    edited((d) => void delete member(d, 'rollout')['signatures']),
  ),
  refuses('unsigned-rollout-empty', UNSIGNED, 'The release is signed, the rollout is not.', { rolloutSigners: [] }),
  accepts(
    'valid-64-signatures',
    'The 64th is the good one.',
    signatures((good) => [...rubbish(63, stranger), good]),
  ),
  refuses(
    'unsigned-65-signatures',
    UNSIGNED,
    'Too many entries, whatever they are.',
    signatures((good) => [...rubbish(64, stranger), good]),
    'valid-64-signatures',
  ),

  accepts(
    'valid-beside-rubbish',
    'A good signature among entries that are none.',
    signatures((good) => [null, { key: releaseKey.id, sig: '' }, { key: 'x' }, { ...good, later: 1 }]),
  ),
  accepts('valid-beside-stranger', 'A key that is in no role.', {
    releaseSigners: [stranger, releaseKey],
    rolloutSigners: [rolloutKey, stranger],
  }),
  accepts(
    'valid-second-try',
    'One bad signature by the same key before the good one.',
    signatures((good) => [...rubbish(1), good]),
  ),
  accepts(
    'valid-bad-base64-is-no-try',
    'Text that is no signature does not count as a try.',
    signatures((good) => [1, 2, 3].map((): JsonValue => ({ ...good, sig: 'AA' })).concat([good])),
  ),
  refuses(
    'signature-third-try',
    SIGNATURE,
    'Two bad signatures by the same key before the good one.',
    signatures((good) => [...rubbish(2), good]),
    'valid-second-try',
  ),

  refuses('signature-stranger', SIGNATURE, 'By a key that is in no role.', { releaseSigners: [stranger] }),
  refuses('signature-by-root-key', SIGNATURE, 'The root key signs roots only.', { releaseSigners: [rootKey] }),
  refuses('signature-by-rollout-key', SIGNATURE, 'The rollout key cannot introduce bytes.', {
    releaseSigners: [rolloutKey],
  }),
  refuses('signature-rollout-by-release-key', SIGNATURE, 'The release key makes no rollout.', {
    rolloutSigners: [releaseKey],
  }),
  refuses('signature-rollout-by-root-key', SIGNATURE, 'The root key signs roots only.', { rolloutSigners: [rootKey] }),
  refuses(
    'signature-under-another-id',
    SIGNATURE,
    'A stranger uses the id of the release key.',
    signatures((_, message) => [{ key: releaseKey.id, sig: encodeBase64(signWithSeed(message, stranger.seed)) }]),
  ),
  refuses(
    'signature-under-a-strange-id',
    SIGNATURE,
    'The release key signs with the id of a stranger.',
    signatures((good) => [{ ...good, key: stranger.id }]),
  ),
  refuses(
    'signature-of-another-release',
    SIGNATURE,
    'A good signature of an older release.',
    signedInstead(() => signedBytes(makeRelease({ version: '1.4.1' }), [])),
  ),
  refuses(
    'signature-of-the-rollout',
    SIGNATURE,
    'The release key signed the rollout.',
    signedInstead((d) => signedBytes(member(d, 'rollout'), ['signatures'])),
  ),
  refuses(
    'signature-of-indented-bytes',
    SIGNATURE,
    'Signed in another form than the canonical one.',
    signedInstead(() => new TextEncoder().encode(JSON.stringify(makeRelease(), null, 2))),
  ),
  refuses(
    'signature-of-unsorted-bytes',
    SIGNATURE,
    'Signed with the members in the order of the file.',
    signedInstead(() => new TextEncoder().encode(JSON.stringify(makeRelease()))),
  ),
  refuses(
    'signature-of-the-digest',
    SIGNATURE,
    'The bytes themselves are signed, not their hash.',
    signedInstead((d) => new Uint8Array(createHash('sha256').update(signedBytes(d, RELEASE_UNSIGNED)).digest())),
  ),
  refuses(
    'signature-of-the-whole-file',
    SIGNATURE,
    'With the rollout.',
    signedInstead((d) => signedBytes(d, ['signatures'])),
  ),

  refuses(
    'changed-version',
    SIGNATURE,
    'Changed after signing.',
    edited((d) => void (d['version'] = '9.9.9')),
  ),
  refuses(
    'changed-url',
    SIGNATURE,
    'Changed after signing.',
    edited((d) => void (member(member(d, 'binaries'), 'linux-amd64')['url'] = 'https://evil.example/x')),
  ),
  refuses(
    'changed-added',
    SIGNATURE,
    'Added after signing.',
    edited((d) => void (d['min_version'] = '1.0.0')),
    'valid-later-members',
  ),
  refuses(
    'changed-removed',
    SIGNATURE,
    'Removed after signing.',
    edited((d) => void delete d['changelog']),
  ),
  refuses(
    'changed-composed',
    SIGNATURE,
    'A letter composed after signing: text is not normalised.',
    { release: { changelog: 'e\u0301' }, edit: (d) => void (d['changelog'] = '\u00e9') },
    'valid-unicode',
  ),
  refuses(
    'changed-percent',
    SIGNATURE,
    'A rollout changed after signing.',
    edited((d) => void (member(d, 'rollout')['stages'] = [{ at: '2026-11-21T02:00:00Z', percent: 99 }])),
  ),
  refuses(
    'changed-paused',
    SIGNATURE,
    'Added to a rollout after signing, with the value of the default.',
    edited((d) => void (member(d, 'rollout')['paused'] = false)),
  ),

  refuses(
    'signature-empty',
    SIGNATURE,
    'No bytes.',
    withText(() => ''),
  ),
  refuses(
    'signature-of-63-bytes',
    SIGNATURE,
    '63 bytes.',
    withBytes((sig) => sig.subarray(0, 63)),
  ),
  refuses(
    'signature-of-65-bytes',
    SIGNATURE,
    '65 bytes.',
    withBytes((sig) => new Uint8Array([...sig, 0])),
  ),
  refuses(
    'signature-without-padding',
    SIGNATURE,
    'Base64 with padding.',
    withText((sig) => sig.replaceAll('=', '')),
  ),
  refuses(
    'signature-with-line-feed',
    SIGNATURE,
    'Base64 without white space.',
    withText((sig) => `${sig}\n`),
  ),
  refuses(
    'signature-url-alphabet',
    SIGNATURE,
    'The alphabet with plus and slash.',
    withText((sig) => sig.replaceAll('+', '-').replaceAll('/', '_')),
  ),
  refuses(
    'signature-spare-bits',
    SIGNATURE,
    'The spare bits are zero.',
    withText((sig) => sig.replace(/.==$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}==`)),
  ),
  refuses(
    'signature-hexadecimal',
    SIGNATURE,
    'Not base64 of 64 bytes.',
    withText((sig) => Buffer.from(sig, 'base64').toString('hex')),
  ),
  refuses(
    'signature-one-bit',
    SIGNATURE,
    'One bit of R.',
    withBytes((sig) => sig.map((byte, i) => (i === 7 ? byte ^ 1 : byte))),
  ),
  refuses('signature-malleated', SIGNATURE, 'S + L in place of S.', withBytes(malleate)),
  refuses(
    'signature-high-bits',
    SIGNATURE,
    'The highest bit of S.',
    withBytes((sig) => sig.map((byte, i) => (i === 63 ? byte | 128 : byte))),
  ),
  refuses(
    'signature-zero',
    SIGNATURE,
    '64 zero bytes.',
    withBytes(() => new Uint8Array(64)),
  ),
  refuses(
    'signature-identity',
    SIGNATURE,
    'R is the identity, S is 0.',
    withBytes(() => new Uint8Array([...littleEndian(1n), ...littleEndian(0n)])),
  ),
  accepts(
    'valid-other-nonce',
    'A signature with a nonce of its own is as good.',
    signatures((_, message) => [
      { key: releaseKey.id, sig: encodeBase64(craftSignature(message, releaseKey, 12345n)) },
    ]),
  ),
  ...[1, 2, 4].map((times) =>
    refuses(
      `signature-with-cofactor-${times}`,
      SIGNATURE,
      'Valid only if the equation is multiplied by the cofactor: a point of small order is added to R.',
      signatures((_, message) => [
        { key: releaseKey.id, sig: encodeBase64(craftSignature(message, releaseKey, 12345n, smallPoint(times))) },
      ]),
      'valid-other-nonce',
    ),
  ),

  accepts('valid-two-of-two', 'Both keys have signed.', twoForRelease),
  accepts('valid-two-of-two-rollout', 'Both keys have signed.', twoForRollout),
  refuses(
    'threshold-one-of-two',
    THRESHOLD,
    'One of two.',
    { ...twoForRelease, releaseSigners: [second] },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-same-signature',
    THRESHOLD,
    'One key twice.',
    { ...twoForRelease, releaseSigners: [second, second] },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-two-signatures-of-one-key',
    THRESHOLD,
    'Two good signatures by one key.',
    {
      ...twoForRelease,
      ...signatures((good, message) => [
        good,
        { ...good, sig: encodeBase64(craftSignature(message, releaseKey, 12345n)) },
      ]),
    },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-one-key-under-two-ids',
    THRESHOLD,
    'The same signature under both ids.',
    { ...twoForRelease, ...signatures((good) => [good, { ...good, key: second.id }]) },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-with-stranger',
    THRESHOLD,
    'One of two, and a stranger.',
    { ...twoForRelease, releaseSigners: [releaseKey, stranger] },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-with-other-role',
    THRESHOLD,
    'One of two, and a key of another role.',
    { ...twoForRelease, releaseSigners: [releaseKey, rolloutKey] },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-one-bad',
    THRESHOLD,
    'One good, one damaged.',
    { ...twoForRelease, ...signatures((good) => [good, { key: second.id, sig: noise(0) }]) },
    'valid-two-of-two',
  ),
  refuses(
    'threshold-rollout',
    THRESHOLD,
    'One of two for the rollout.',
    { ...twoForRollout, rolloutSigners: [rolloutKey] },
    'valid-two-of-two-rollout',
  ),
]
