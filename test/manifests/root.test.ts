import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  acceptRoots,
  assertSelfSigned,
  encodeBase64,
  type ErrorCode,
  isRoleTightened,
  type JsonObject,
  type JsonValue,
  keyIdOf,
  readRoot,
  ROLE_NAMES,
} from '../../manifests/index.ts'
import {
  defaultKeys,
  makeKey,
  makeRoot,
  makeRootChain,
  member,
  signStatement,
  type TestKey,
  type TestKeys,
} from '../fixtures/signed-manifest.ts'

const keys = defaultKeys()
const pinned = readRoot(makeRoot())
const [rootKey, other, third] = [makeKey('root'), makeKey('other'), makeKey('third')]
const withRootKeys = (...root: TestKey[]): TestKeys => ({ ...keys, root })

/** A root document changed after it was made; the shape does not look at signatures. */
function edited(edit: (document: JsonObject) => void): JsonObject {
  const document = structuredClone(makeRoot())
  edit(document)
  return document
}

function unreadable(document: JsonValue, code: ErrorCode): void {
  assert.throws(() => readRoot(document), { name: 'MoultError', code }, JSON.stringify(document))
}

function stopsAt(version: number, offered: readonly JsonValue[], code: ErrorCode | undefined, from = pinned): void {
  const { root, refused } = acceptRoots(from, offered)
  assert.equal(root.version, version)
  assert.equal(refused?.code, code)
}

describe('a root document', () => {
  test('gives the keys and thresholds of each role', () => {
    const root = readRoot(makeRoot({ keys: { ...keys, release: [rootKey, other] }, thresholds: { release: 2 } }))
    assert.equal(root.name, 'heartbeat-agent')
    assert.equal(root.version, 1)
    assert.equal(root.expiresMs, Date.UTC(2036, 0, 1))
    assert.deepEqual(root.roles.release, {
      threshold: 2,
      keys: new Map([
        [rootKey.id, rootKey.publicKey],
        [other.id, other.publicKey],
      ]),
    })
    assertSelfSigned(root)
  })

  test('may hold members, roles and key facts of later days', () => {
    const document = edited((root) => {
      root['comment'] = 'x'
      member(root, 'roles')['mirror'] = { keys: [], threshold: 1 }
      member(member(root, 'keys'), rootKey.id)['owner'] = 'somebody'
    })
    assert.equal(readRoot(document).version, 1)
  })

  test('is an object of its own format', () => {
    readRoot(makeRoot())
    for (const value of [null, 1, 'x', [], {}]) unreadable(value, 'ERR_TRUST_ROOT')
    for (const format of ['moult/1', 'moult-rollout/1', 'moult-root/2', '', null, undefined]) {
      unreadable(
        edited((root) => {
          root['format'] = format as JsonValue
        }),
        'ERR_TRUST_ROOT',
      )
    }
  })

  test('has every member, of the right kind', () => {
    for (const name of ['format', 'name', 'version', 'expires', 'keys', 'roles']) {
      unreadable(
        edited((root) => {
          delete root[name]
        }),
        'ERR_TRUST_ROOT',
      )
      unreadable(
        edited((root) => {
          root[name] = null
        }),
        'ERR_TRUST_ROOT',
      )
    }
    for (const version of [0, -1, '1', 1.5])
      unreadable(
        edited((root) => {
          root['version'] = version
        }),
        'ERR_TRUST_ROOT',
      )
    for (const expires of ['2026-02-30T00:00:00Z', 'never', '2036-01-01', 4_000_000_000]) {
      unreadable(
        edited((root) => {
          root['expires'] = expires
        }),
        'ERR_TRUST_ROOT',
      )
    }
    for (const role of ROLE_NAMES)
      unreadable(
        edited((root) => {
          delete member(root, 'roles')[role]
        }),
        'ERR_TRUST_ROOT',
      )
  })

  test('asks each role for at least one key and at most as many as it has', () => {
    const two = { ...keys, release: [rootKey, other] }
    for (const threshold of [1, 2]) readRoot(makeRoot({ keys: two, thresholds: { release: threshold } }))
    for (const threshold of [0, -1, 1.5, '1', 3, 65, null, 2 ** 53]) {
      unreadable(makeRootOfAny(threshold), 'ERR_TRUST_ROOT')
    }
    function makeRootOfAny(threshold: JsonValue): JsonObject {
      const root = makeRoot({ keys: two })
      member(member(root, 'roles'), 'release')['threshold'] = threshold
      return root
    }
    unreadable(
      edited((root) => {
        member(member(root, 'roles'), 'rollout')['keys'] = []
      }),
      'ERR_TRUST_ROOT',
    )
  })

  test('names no key twice in a role, so that a threshold cannot be met by one key', () => {
    readRoot(makeRoot({ keys: { ...keys, release: [rootKey, other] } }))
    unreadable(makeRoot({ keys: { ...keys, release: [rootKey, rootKey] } }), 'ERR_TRUST_ROOT')
    unreadable(
      makeRoot({ keys: { ...keys, release: [rootKey, rootKey] }, thresholds: { release: 2 } }),
      'ERR_TRUST_ROOT',
    )
  })

  test('takes one key in several roles', () => {
    assert.equal(
      readRoot(makeRoot({ keys: { root: [rootKey], release: [rootKey], rollout: [rootKey] } })).roles.release.keys.size,
      1,
    )
  })

  test('names only keys that it lists, by the hash of the key', () => {
    unreadable(
      edited((root) => {
        delete member(root, 'keys')[rootKey.id]
      }),
      'ERR_TRUST_ROOT',
    )
    const swapped = (id: string) =>
      edited((root) => {
        member(root, 'keys')[id] = { type: 'ed25519', public: encodeBase64(rootKey.publicKey) }
      })
    readRoot(swapped(rootKey.id))
    unreadable(swapped(other.id), 'ERR_TRUST_ROOT')
    unreadable(swapped(keys.release[0]?.id ?? ''), 'ERR_TRUST_ROOT')
    unreadable(swapped(rootKey.id.toUpperCase()), 'ERR_TRUST_ROOT')
    unreadable(swapped('constructor'), 'ERR_TRUST_ROOT')
  })

  test('lists only strong Ed25519 keys in strict base64', () => {
    const listing = (bytes: Uint8Array, text = encodeBase64(bytes), type = 'ed25519') =>
      edited((root) => {
        member(root, 'keys')[keyIdOf(bytes)] = { type, public: text }
      })
    readRoot(listing(other.publicKey))
    const identity = new Uint8Array([1, ...new Uint8Array(31)])
    const notCanonical = new Uint8Array([0xee, ...new Uint8Array(30).fill(0xff), 0x7f])
    for (const bad of [
      new Uint8Array(32),
      identity,
      notCanonical,
      other.publicKey.subarray(1),
      new Uint8Array([...other.publicKey, 1]),
    ]) {
      unreadable(listing(bad), 'ERR_TRUST_KEY')
    }
    const text = encodeBase64(other.publicKey)
    for (const dirty of [`${text}\n`, ` ${text}`, text.slice(0, -1), '', text.replace('=', '-')]) {
      unreadable(listing(other.publicKey, dirty), 'ERR_TRUST_KEY')
    }
    unreadable(listing(other.publicKey, text, 'rsa'), 'ERR_TRUST_ROOT')
  })

  test('is signed by its own root role when it is the first', () => {
    assertSelfSigned(readRoot(makeRoot({ keys: withRootKeys(rootKey, other), thresholds: { root: 2 } })))
    const self = (signers: TestKey[], code: ErrorCode): void => {
      const root = readRoot(makeRoot({ keys: withRootKeys(rootKey, other), thresholds: { root: 2 }, signers }))
      assert.throws(() => assertSelfSigned(root), { code })
    }
    self([], 'ERR_TRUST_UNSIGNED')
    self([third], 'ERR_TRUST_SIGNATURE')
    self([rootKey], 'ERR_TRUST_THRESHOLD')
    self([rootKey, rootKey], 'ERR_TRUST_THRESHOLD')
    self([rootKey, makeKey('release')], 'ERR_TRUST_THRESHOLD')
  })
})

describe('the chain of roots', () => {
  test('stays where it is when nothing, or nothing new, is offered', () => {
    stopsAt(1, [], undefined)
    stopsAt(1, [makeRoot()], undefined)
    const two = readRoot(makeRoot({ version: 2 }))
    stopsAt(2, [makeRoot(), makeRoot({ version: 2, expires: '2030-01-01T00:00:00Z' })], undefined, two)
  })

  test('leads an agent that slept from root 1 to root 9, through key rotations, in one poll', () => {
    const chain = makeRootChain(9, (version) => ({
      keys: withRootKeys(version < 4 ? rootKey : version < 7 ? other : third),
    }))
    stopsAt(9, chain, undefined)
    stopsAt(9, chain, undefined, acceptRoots(pinned, chain.slice(0, 4)).root)
  })

  test('skips no root', () => {
    stopsAt(3, makeRootChain(3), undefined)
    stopsAt(1, makeRootChain(3).slice(1), 'ERR_TRUST_ROOT')
    stopsAt(
      2,
      makeRootChain(4).filter((root) => root['version'] !== 3),
      'ERR_TRUST_ROOT',
    )
    stopsAt(1, makeRootChain(3).toReversed(), 'ERR_TRUST_ROOT')
    stopsAt(1, [makeRoot({ version: Number.MAX_SAFE_INTEGER })], 'ERR_TRUST_ROOT')
  })

  test('needs the old root role: a thief of every other key gets no further', () => {
    stopsAt(2, [makeRoot({ version: 2, keys: withRootKeys(other), signers: [rootKey, other] })], undefined)
    stopsAt(1, [makeRoot({ version: 2, keys: withRootKeys(other), signers: [other] })], 'ERR_TRUST_SIGNATURE')
    const online = [makeKey('release'), makeKey('rollout')]
    stopsAt(1, [makeRoot({ version: 2, signers: online })], 'ERR_TRUST_SIGNATURE')
    stopsAt(1, [makeRoot({ version: 2, signers: [] })], 'ERR_TRUST_UNSIGNED')
  })

  test('needs the new root role: nobody is made a root key holder without holding the key', () => {
    stopsAt(1, [makeRoot({ version: 2, keys: withRootKeys(other), signers: [rootKey] })], 'ERR_TRUST_SIGNATURE')
  })

  test('needs the threshold of both roots', () => {
    const two = { keys: withRootKeys(rootKey, other), thresholds: { root: 2 } }
    const from = readRoot(makeRoot(two))
    const next = (signers: TestKey[], options: object = { keys: withRootKeys(rootKey) }): JsonObject[] => [
      makeRoot({ version: 2, signers, ...options }),
    ]
    stopsAt(2, next([rootKey, other]), undefined, from)
    stopsAt(1, next([rootKey]), 'ERR_TRUST_THRESHOLD', from)
    stopsAt(1, next([rootKey, rootKey]), 'ERR_TRUST_THRESHOLD', from)
    stopsAt(1, next([rootKey, third]), 'ERR_TRUST_THRESHOLD', from)
    stopsAt(2, next([rootKey, other], two), undefined)
    stopsAt(1, next([rootKey], two), 'ERR_TRUST_THRESHOLD')
  })

  test('is refused when it is for another name', () => {
    stopsAt(2, [makeRoot({ version: 2 })], undefined)
    stopsAt(1, [makeRoot({ version: 2, name: 'another-agent' })], 'ERR_TRUST_ROOT')
  })

  test('is refused when it was changed after signing, or is of another kind', () => {
    const changed = (edit: (document: JsonObject) => void): JsonObject => {
      const document = makeRoot({ version: 2 })
      edit(document)
      return document
    }
    stopsAt(2, [changed(() => {})], undefined)
    stopsAt(
      1,
      [
        changed((root) => {
          root['expires'] = '2099-01-01T00:00:00Z'
        }),
      ],
      'ERR_TRUST_SIGNATURE',
    )
    stopsAt(
      1,
      [
        changed((root) => {
          root['extra'] = 1
        }),
      ],
      'ERR_TRUST_SIGNATURE',
    )
    stopsAt(
      1,
      [
        changed((root) => {
          delete root['signatures']
        }),
      ],
      'ERR_TRUST_UNSIGNED',
    )
    stopsAt(1, [signStatement({ ...makeRoot({ version: 2 }), format: 'moult/1' }, [rootKey])], 'ERR_TRUST_ROOT')
    for (const rubbish of [null, 1, 'x', [], {}, [makeRoot({ version: 2 })]]) stopsAt(1, [rubbish], 'ERR_TRUST_ROOT')
  })

  test('keeps the progress that it made before a bad link', () => {
    const chain = makeRootChain(5)
    const broken = [...chain.slice(0, 2), makeRoot({ version: 4, signers: [third] }), ...chain.slice(3)]
    stopsAt(3, broken, 'ERR_TRUST_SIGNATURE')
    stopsAt(5, chain, undefined, acceptRoots(pinned, broken).root)
  })

  test('passes through expired roots, because only the last must be good', () => {
    stopsAt(
      3,
      makeRootChain(3, (version) => (version === 2 ? { expires: '2020-01-01T00:00:00Z' } : {})),
      undefined,
    )
  })

  test('ends at 64 steps a poll, keeps them, and goes on at the next', () => {
    const chain = makeRootChain(70)
    const first = acceptRoots(pinned, chain)
    assert.equal(first.root.version, 65)
    assert.equal(first.refused, undefined)
    stopsAt(70, chain, undefined, first.root)
  })

  test('case 38: a thousand roots cost a poll no more than 64 do: the rest is not even looked at', () => {
    const chain: JsonValue[] = makeRootChain(66)
    const untouched = new Proxy({}, { get: () => assert.fail('read'), ownKeys: () => assert.fail('listed') })
    const { root, refused } = acceptRoots(pinned, [...chain, ...Array.from({ length: 935 }, () => untouched)])
    assert.deepEqual([root.version, refused], [65, undefined])
    stopsAt(66, chain, undefined, root)
  })

  test('does not fork: another root of a version that is trusted is passed over', () => {
    const stolen = makeRoot({ version: 2, keys: withRootKeys(third), signers: [rootKey, third] })
    const two = acceptRoots(pinned, [makeRoot({ version: 2 })]).root
    stopsAt(2, [stolen], undefined, two)
    assert.deepEqual([...acceptRoots(two, [stolen]).root.roles.root.keys.keys()], [rootKey.id])
  })
})

describe('a role is tightened', () => {
  const root = (release: TestKey[], threshold = 1) =>
    readRoot(makeRoot({ keys: { ...keys, release }, thresholds: { release: threshold } }))

  test('when it lost a key or asks for more of them', () => {
    assert.equal(isRoleTightened('release', root([rootKey]), root([other])), true)
    assert.equal(isRoleTightened('release', root([rootKey, other]), root([rootKey])), true)
    assert.equal(isRoleTightened('release', root([rootKey, other]), root([rootKey, third])), true)
    assert.equal(isRoleTightened('release', root([rootKey, other], 1), root([rootKey, other], 2)), true)
  })

  test('but not when a key was added or less is asked: the old statements still verify', () => {
    assert.equal(isRoleTightened('release', root([rootKey]), root([rootKey])), false)
    assert.equal(isRoleTightened('release', root([rootKey]), root([rootKey, other])), false)
    assert.equal(isRoleTightened('release', root([rootKey, other]), root([other, rootKey])), false)
    assert.equal(isRoleTightened('release', root([rootKey, other], 2), root([rootKey, other], 1)), false)
    assert.equal(isRoleTightened('rollout', root([rootKey]), root([other])), false)
  })
})
