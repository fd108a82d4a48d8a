// Root documents, the chain of them, and the floor (SPEC.md, "Root documents", "Following roots", "State").

import { encodeBase64, type ErrorCode, type JsonObject, type JsonValue, keyIdOf } from '../../manifests/index.ts'
import {
  defaultKeys,
  makeKey,
  makeRoot,
  makeRootChain,
  member,
  type RootOptions,
  signStatement,
  type TestKey,
  type TestKeys,
} from '../fixtures/signed-manifest.ts'
import { add, decodePoint, encodePoint, littleEndian, P, smallPoint } from './edwards.ts'
import { accepts, refuses, type VectorCase, type VectorOptions } from './vector.ts'

const ROOT: ErrorCode = 'ERR_TRUST_ROOT'
const KEY: ErrorCode = 'ERR_TRUST_KEY'
const SIGNATURE: ErrorCode = 'ERR_TRUST_SIGNATURE'
const THRESHOLD: ErrorCode = 'ERR_TRUST_THRESHOLD'
const UNSIGNED: ErrorCode = 'ERR_TRUST_UNSIGNED'
const EXPIRED = '2026-11-22T02:00:00Z'

const keys = defaultKeys()
const [rootKey, releaseKey, second, stranger] = ['root', 'release', 'second', 'stranger'].map(makeKey) as [
  TestKey,
  TestKey,
  TestKey,
  TestKey,
]
const withRoot = (...root: TestKey[]): TestKeys => ({ ...keys, root })

/** A chain of root 2 alone. */
function second2(options: RootOptions = {}): VectorOptions {
  return { chain: [makeRoot({ version: 2, ...options })], reaches: 2 }
}

/** Root 2 with these members, properly signed, which ends the walk. */
function badRoot(name: string, code: ErrorCode, comment: string, edit: (root: JsonObject) => void): VectorCase {
  const root = structuredClone(makeRoot({ version: 2 }))
  edit(root)
  return refuses(`root-${name}`, code, comment, { chain: [signStatement(root, [rootKey])] }, 'valid-root-2')
}

/** Root 2 with one more key in its list, in no role. */
function listing(
  name: string,
  code: ErrorCode | 'ok',
  comment: string,
  bytes: Uint8Array,
  more: JsonObject = {},
): VectorCase {
  const root = structuredClone(makeRoot({ version: 2 }))
  member(root, 'keys')[keyIdOf(bytes)] = { type: 'ed25519', public: encodeBase64(bytes), ...more }
  const chain = [signStatement(root, [rootKey])]
  return code === 'ok'
    ? accepts(`valid-key-${name}`, comment, { chain, reaches: 2 })
    : refuses(`key-${name}`, code, comment, { chain }, 'valid-key-mixed-order')
}

/** The pinned root is of no use. */
function badPin(name: string, code: ErrorCode, comment: string, pin: JsonValue): VectorCase {
  return refuses(`pinned-${name}`, code, comment, { badPin: pin })
}

function editedRoot(edit: (root: JsonObject) => void, signers: readonly TestKey[] = [rootKey]): JsonObject {
  const root = structuredClone(makeRoot())
  edit(root)
  return signStatement(root, signers)
}

const releaseRole = (root: JsonObject): JsonObject => member(member(root, 'roles'), 'release')
const twoRoots = { keys: withRoot(rootKey, second), thresholds: { root: 2 } }
const publicText = encodeBase64(second.publicKey)
const chainTo = (last: number): JsonObject[] => makeRootChain(last)
const to65 = { chain: chainTo(70), reaches: 65 }
const newRelease: TestKeys = { ...keys, release: [second] }
const overlap: TestKeys = { ...keys, release: [releaseKey, second] }
/** The release key changes in root 70 only. */
const lateRotation = makeRootChain(70, (version) => (version === 70 ? { keys: newRelease } : {}))
const manyKeys = (count: number): JsonObject =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => makeKey(`many ${n}`)).map(({ id, publicKey }) => [
      id,
      { type: 'ed25519', public: encodeBase64(publicKey) },
    ]),
  )
const withKeys = (count: number): JsonObject => {
  const root = structuredClone(makeRoot({ version: 2 }))
  Object.assign(member(root, 'keys'), manyKeys(count - 3))
  return signStatement(root, [rootKey])
}

export const ROOT_CASES: readonly VectorCase[] = [
  accepts('valid-root-2', 'Root 2 follows root 1.', second2()),
  accepts('valid-root-9', 'An agent that slept since root 1: new root, release and rollout keys on the way.', {
    ...sleeper(),
    reaches: 9,
  }),
  accepts('valid-root-unknown-members', 'Unknown members, roles and facts about keys.', {
    chain: [
      signStatement(
        (() => {
          const root = structuredClone(makeRoot({ version: 2 }))
          root['later'] = 1
          member(root, 'roles')['mirror'] = 'x'
          member(member(root, 'keys'), rootKey.id)['owner'] = 'somebody'
          return root
        })(),
        [rootKey],
      ),
    ],
    reaches: 2,
  }),
  accepts('valid-old-roots', 'Roots that are not newer are passed over, even another root 1.', {
    chain: [makeRoot({ signers: [stranger] }), makeRoot(), ...chainTo(2)],
    reaches: 2,
  }),
  refuses(
    'root-old-and-malformed',
    ROOT,
    'Also a root that would be passed over must be one.',
    { chain: [editedRoot((root) => void delete root['roles'])] },
    'valid-old-roots',
  ),
  refuses('root-skipped', ROOT, 'Root 3 without root 2.', { chain: chainTo(3).slice(1) }, 'valid-root-2'),
  refuses(
    'root-skipped-later',
    ROOT,
    'Root 4 after root 2; root 2 is kept.',
    { chain: chainTo(4).filter((root) => root['version'] !== 3), reaches: 2 },
    'valid-root-2',
  ),
  refuses('root-backwards', ROOT, 'Root 3 before root 2.', { chain: chainTo(3).toReversed() }, 'valid-root-2'),
  refuses(
    'root-largest-version',
    ROOT,
    'Not even the largest version skips.',
    { chain: [makeRoot({ version: Number.MAX_SAFE_INTEGER })] },
    'valid-root-2',
  ),
  refuses(
    'root-of-another-name',
    ROOT,
    'A root of another agent.',
    { chain: [makeRoot({ version: 2, name: 'another-agent' })] },
    'valid-root-2',
  ),
  ...(['x', null, 1, [], {}] as const).map((value) =>
    refuses(
      `root-rubbish-${typeof value === 'object' ? (JSON.stringify(value) === '{}' ? 'object' : value === null ? 'null' : 'array') : typeof value}`,
      ROOT,
      'Not a root document.',
      { chain: [value] as JsonValue },
      'valid-root-2',
    ),
  ),

  accepts('valid-root-key-replaced', 'Signed by the old key and by the new one.', {
    ...second2({ keys: withRoot(second), signers: [rootKey, second] }),
  }),
  refuses(
    'root-by-stranger',
    SIGNATURE,
    'A root that a stranger made.',
    { chain: [makeRoot({ version: 2, signers: [stranger] })] },
    'valid-root-2',
  ),
  refuses(
    'root-by-other-roles',
    SIGNATURE,
    'Release and rollout key together are no root key.',
    { chain: [makeRoot({ version: 2, signers: [releaseKey, makeKey('rollout')] })] },
    'valid-root-2',
  ),
  refuses(
    'root-by-new-key-only',
    SIGNATURE,
    'The old key has not signed.',
    { chain: [makeRoot({ version: 2, keys: withRoot(second), signers: [second] })] },
    'valid-root-key-replaced',
  ),
  refuses(
    'root-by-old-key-only',
    SIGNATURE,
    'The new key has not signed.',
    { chain: [makeRoot({ version: 2, keys: withRoot(second), signers: [rootKey] })] },
    'valid-root-key-replaced',
  ),
  refuses(
    'root-unsigned',
    UNSIGNED,
    'No signature.',
    { chain: [makeRoot({ version: 2, signers: [] })] },
    'valid-root-2',
  ),
  refuses(
    'root-without-signatures',
    UNSIGNED,
    'No member of that name.',
    { chain: [without(makeRoot({ version: 2 }), 'signatures')] },
    'valid-root-2',
  ),
  refuses(
    'root-changed',
    SIGNATURE,
    'Changed after signing.',
    { chain: [{ ...makeRoot({ version: 2 }), expires: '2099-01-01T00:00:00Z' }] },
    'valid-root-2',
  ),
  refuses(
    'root-forged-after-good',
    SIGNATURE,
    'Root 2 is kept, root 3 is forged.',
    { chain: [...chainTo(2), makeRoot({ version: 3, signers: [stranger] })], reaches: 2 },
    'valid-root-2',
  ),
  accepts(
    'valid-root-threshold-raised',
    'Both keys have signed.',
    second2({ ...twoRoots, signers: [rootKey, second] }),
  ),
  refuses(
    'root-below-own-threshold',
    THRESHOLD,
    'One of two keys of the new root.',
    { chain: [makeRoot({ version: 2, ...twoRoots, signers: [rootKey] })] },
    'valid-root-threshold-raised',
  ),
  refuses(
    'root-same-key-twice',
    THRESHOLD,
    'One key twice.',
    { chain: [makeRoot({ version: 2, ...twoRoots, signers: [rootKey, rootKey] })] },
    'valid-root-threshold-raised',
  ),

  badRoot('format', ROOT, 'Another format.', (root) => void (root['format'] = 'moult-root/2')),
  badRoot('version-text', ROOT, 'A number.', (root) => void (root['version'] = '2')),
  badRoot('version-0', ROOT, 'At least 1.', (root) => void (root['version'] = 0)),
  badRoot('expires', ROOT, 'A day that does not exist.', (root) => void (root['expires'] = '2036-02-30T00:00:00Z')),
  badRoot('name', ROOT, 'A name.', (root) => void (root['name'] = 'Heartbeat agent')),
  ...['format', 'name', 'version', 'expires', 'keys', 'roles'].map((name) =>
    badRoot(`without-${name}`, ROOT, 'A required member.', (root) => void delete root[name]),
  ),
  ...['root', 'release', 'rollout'].map((name) =>
    badRoot(`without-role-${name}`, ROOT, 'A required role.', (root) => void delete member(root, 'roles')[name]),
  ),
  ...(
    [
      ['0', 0],
      ['negative', -1],
      ['text', '1'],
      ['beyond-keys', 2],
      ['null', null],
    ] as const
  ).map(([name, threshold]) =>
    badRoot(
      `threshold-${name}`,
      ROOT,
      'From 1 to the number of keys.',
      (root) => void (releaseRole(root)['threshold'] = threshold),
    ),
  ),
  badRoot('role-without-keys', ROOT, 'At least one key.', (root) => void (releaseRole(root)['keys'] = [])),
  badRoot(
    'role-same-key-twice',
    ROOT,
    'No key twice.',
    (root) => void (releaseRole(root)['keys'] = [releaseKey.id, releaseKey.id]),
  ),
  badRoot('role-unlisted-key', ROOT, 'Keys are listed.', (root) => void (releaseRole(root)['keys'] = [second.id])),
  badRoot(
    'role-unknown-member',
    ROOT,
    'A role that says more than this client knows.',
    (root) => void (releaseRole(root)['until'] = 'x'),
  ),
  badRoot(
    'key-under-another-id',
    ROOT,
    'A key id is the hash of its key.',
    (root) => void (member(root, 'keys')[stranger.id] = { type: 'ed25519', public: publicText }),
  ),
  badRoot(
    'key-of-another-type',
    ROOT,
    'Ed25519.',
    (root) => void (member(root, 'keys')[second.id] = { type: 'rsa', public: publicText }),
  ),
  badRoot(
    'key-id-upper-case',
    ROOT,
    'Lower case.',
    (root) => void (member(root, 'keys')[second.id.toUpperCase()] = { type: 'ed25519', public: publicText }),
  ),
  badRoot(
    'key-without-public',
    ROOT,
    'A required member.',
    (root) => void (member(root, 'keys')[second.id] = { type: 'ed25519' }),
  ),
  badRoot('no-keys', ROOT, 'At least one key.', (root) => void (root['keys'] = {})),
  accepts('valid-64-keys', '64 keys.', { chain: [withKeys(64)], reaches: 2 }),
  refuses('root-65-keys', ROOT, '65 keys.', { chain: [withKeys(65)] }, 'valid-64-keys'),

  listing('mixed-order', 'ok', 'A point of full order plus one of small order is no weak key.', mixedOrder()),
  listing(
    'off-curve',
    'ok',
    'y = 2 is no point: no signature of it verifies, but it is no weak key.',
    littleEndian(2n),
  ),
  ...[1, 2, 3, 4, 5, 6, 7].map((n) =>
    listing(`small-order-${n}`, KEY, 'A point of small order.', encodePoint(smallPoint(n))),
  ),
  listing('identity', KEY, 'The neutral point.', littleEndian(1n)),
  listing('identity-other-sign', KEY, 'The neutral point with the other sign bit.', littleEndian(1n + 2n ** 255n)),
  listing('order-2-other-sign', KEY, 'y = p - 1 with the sign bit.', littleEndian(P - 1n + 2n ** 255n)),
  listing('prime', KEY, 'y = p, which means 0.', littleEndian(P)),
  listing('prime-plus-1', KEY, 'y = p + 1, which means 1.', littleEndian(P + 1n)),
  listing('prime-plus-3', KEY, 'y = p + 3: not canonical, and not of small order.', littleEndian(P + 3n)),
  listing('all-ones', KEY, 'y = 2^255 - 1, with the sign bit.', littleEndian(2n ** 256n - 1n)),
  listing('of-31-bytes', KEY, '31 bytes.', second.publicKey.subarray(1)),
  listing('of-33-bytes', KEY, '33 bytes.', new Uint8Array([...second.publicKey, 0])),
  listing('of-66-bytes', KEY, '66 bytes.', new Uint8Array([...second.publicKey, ...second.publicKey, 0, 0])),
  listing('empty-text', KEY, 'No bytes.', second.publicKey, { public: '' }),
  listing('line-feed', KEY, 'Base64 without white space.', second.publicKey, { public: `${publicText}\n` }),
  listing('without-padding', KEY, 'Base64 with padding.', second.publicKey, { public: publicText.replace('=', '') }),
  listing('hexadecimal', KEY, 'Base64.', second.publicKey, { public: Buffer.from(second.publicKey).toString('hex') }),

  refuses(
    'root-expired',
    'ERR_TRUST_ROOT_EXPIRED',
    'A root that expires now has expired.',
    { pinned: makeRoot({ expires: EXPIRED }) },
    'valid-root-expires-next',
  ),
  accepts('valid-root-expires-next', 'It expires a millisecond later.', {
    pinned: makeRoot({ expires: '2026-11-22T02:00:00.001Z' }),
  }),
  accepts('valid-expired-between', 'An expired root is followed by a fresh one.', {
    chain: makeRootChain(3, (v) => (v === 2 ? { expires: EXPIRED } : {})),
    reaches: 3,
  }),
  accepts('valid-expired-pinned', 'The pinned root has expired, root 2 has not.', {
    pinned: makeRoot({ expires: EXPIRED }),
    ...second2(),
  }),
  refuses(
    'root-newest-expired',
    'ERR_TRUST_ROOT_EXPIRED',
    'Only the newest counts; it is kept all the same.',
    second2({ expires: EXPIRED }),
    'valid-expired-between',
  ),

  accepts('valid-64-steps', '70 roots: 64 are followed, the rest waits for the next poll.', to65),
  accepts('valid-64-steps-and-on', 'The next poll.', {
    chain: chainTo(70).slice(60),
    accepted: chainTo(65).at(-1) as JsonObject,
    reaches: 70,
  }),
  refuses(
    'root-64-steps-too-short',
    SIGNATURE,
    'Root 70 changed the release key, but root 65 is as far as one poll gets.',
    { chain: lateRotation, releaseSigners: [second], reaches: 65 },
    'valid-64-steps',
  ),

  accepts('valid-overlap-old', 'Both release keys are good: the old one signs.', { ...second2({ keys: overlap }) }),
  accepts('valid-overlap-new', 'Both release keys are good: the new one signs.', {
    ...second2({ keys: overlap }),
    releaseSigners: [second],
  }),
  accepts('valid-release-key-replaced', 'The new one signs.', {
    ...second2({ keys: newRelease }),
    releaseSigners: [second],
  }),
  refuses(
    'revoked-release-key',
    SIGNATURE,
    'The removed one signs; the root is kept.',
    second2({ keys: newRelease }),
    'valid-release-key-replaced',
  ),
  refuses(
    'revoked-earlier',
    SIGNATURE,
    'The key was removed by a root that the agent had before.',
    { accepted: makeRoot({ version: 2, keys: newRelease }) },
    'valid-accepted-root',
  ),
  accepts('valid-accepted-root', 'The root that the agent accepted before counts, not the pinned one.', {
    accepted: makeRoot({ version: 2, keys: newRelease }),
    releaseSigners: [second],
  }),
  accepts('valid-pinned-newer', 'A pinned root that is newer than the accepted one wins.', {
    pinned: makeRoot({ version: 3 }),
    accepted: makeRoot({ version: 2, keys: newRelease }),
    reaches: 3,
  }),
  accepts('valid-pinned-other-name', 'A pinned root of another name wins.', {
    accepted: makeRoot({ version: 7, name: 'another-agent', keys: newRelease }),
    reaches: 1,
  }),

  badPin('unsigned', UNSIGNED, 'A pinned root signs itself.', makeRoot({ signers: [] })),
  badPin('by-stranger', SIGNATURE, 'A pinned root signs itself.', makeRoot({ signers: [stranger] })),
  badPin('below-threshold', THRESHOLD, 'A pinned root signs itself.', makeRoot({ ...twoRoots, signers: [second] })),
  badPin(
    'threshold-0',
    ROOT,
    'From 1 on.',
    editedRoot((root) => void (releaseRole(root)['threshold'] = 0)),
  ),
  badPin(
    'weak-key',
    KEY,
    'A point of small order.',
    editedRoot((root) => {
      const weak = encodePoint(smallPoint(1))
      member(root, 'keys')[keyIdOf(weak)] = { type: 'ed25519', public: encodeBase64(weak) }
    }),
  ),
  badPin('rubbish', ROOT, 'Not a root document.', {}),
]

function without(document: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([key]) => key !== name))
}

/** Keys of all roles change while the agent sleeps. */
function sleeper(): VectorOptions {
  const keysOf = (version: number): TestKeys => ({
    root: [makeKey(`root ${version >> 1}`)],
    release: [makeKey(`release ${version >> 2}`)],
    rollout: [makeKey(`rollout ${version}`)],
  })
  const chain = makeRootChain(9, (version) => ({ keys: keysOf(version) }))
  return { pinned: makeRoot({ keys: keysOf(1) }), chain, keys: keysOf(9) }
}

function mixedOrder(): Uint8Array {
  return encodePoint(add(decodePoint(second.publicKey), smallPoint(1)))
}
