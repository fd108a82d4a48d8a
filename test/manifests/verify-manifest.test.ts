import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  type ErrorCode,
  type JsonObject,
  type JsonValue,
  MANIFEST_MAX_BYTES,
  NO_FLOOR,
  parseDate,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  statementDigest,
  type Trust,
  type Verdict,
  verifyManifest,
} from '../../manifests/index.ts'
import {
  DAY_MS,
  defaultKeys,
  makeKey,
  makeManifest,
  type ManifestOptions,
  makeRelease,
  makeRollout,
  makeRoot,
  makeRootChain,
  member,
  NOW_MS,
  signStatement,
  type TestKey,
  type TestKeys,
} from '../fixtures/signed-manifest.ts'

const keys = defaultKeys()
const [rootKey, releaseKey, rolloutKey, stranger] = [
  makeKey('root'),
  makeKey('release'),
  makeKey('rollout'),
  makeKey('stranger'),
]
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

function verdictOf(options: ManifestOptions = {}, now = NOW_MS): Verdict {
  const { bytes, trust } = makeManifest(options)
  return verifyManifest(bytes, trust, now)
}

function accepts(options: ManifestOptions = {}, now = NOW_MS): Trust {
  const verdict = verdictOf(options, now)
  assert.equal(
    verdict.kind,
    'accepted',
    verdict.kind === 'refused' ? `${verdict.error.code} ${verdict.error.message}` : '',
  )
  return verdict.trust
}

/** Refused with the code, and nothing is believed that was not believed before. */
function refuses(code: ErrorCode, options: ManifestOptions, now = NOW_MS): void {
  const { bytes, trust } = makeManifest(options)
  const verdict = verifyManifest(bytes, trust, now)
  assert.equal(verdict.kind === 'refused' ? verdict.error.code : 'accepted', code)
  assert.deepEqual(verdict.trust, trust)
}

/** Digest of the rollout of a manifest. */
function floorOf(options: ManifestOptions): { sequence: number; digest: string } {
  const rollout = member(makeManifest(options).document, 'rollout')
  return { sequence: rollout['sequence'] as number, digest: statementDigest(rollout, ROLLOUT_UNSIGNED) }
}

describe('a valid manifest', () => {
  test('is accepted with what it says, and becomes the new floor', () => {
    const { bytes, trust, document } = makeManifest()
    const verdict = verifyManifest(bytes, trust, NOW_MS)
    assert.ok(verdict.kind === 'accepted')
    assert.equal(verdict.manifest.release.version, '1.4.2')
    assert.equal(verdict.manifest.rollout.sequence, 42)
    assert.equal(verdict.manifest.releaseDigest, statementDigest(document, RELEASE_UNSIGNED))
    assert.deepEqual(verdict.trust, { ...trust, floor: floorOf({}) })
    assert.deepEqual(trust.floor, NO_FLOOR, 'the trust that came in is left alone')
  })

  test('is accepted again, with the same trust: a poll that finds nothing new changes nothing', () => {
    const trust = accepts()
    const again = verifyManifest(makeManifest().bytes, trust, NOW_MS)
    assert.equal(again.kind, 'accepted')
    assert.deepEqual(again.trust, trust)
  })

  test('is accepted re-indented, with other line ends, and with its keys in another order', () => {
    const turned = (value: JsonValue): JsonValue => {
      if (Array.isArray(value)) return value.map(turned)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, item]) => [key, turned(item)]),
      )
    }
    const forms = [
      (document: JsonObject) => JSON.stringify(document),
      (document: JsonObject) => JSON.stringify(document, null, '\t'),
      (document: JsonObject) => JSON.stringify(document, null, 4).replaceAll('\n', '\r\n'),
      (document: JsonObject) => ` \n${JSON.stringify(turned(document))}\n\n`,
      (document: JsonObject) => JSON.stringify(document).replaceAll('a', '\\u0061'),
    ]
    for (const serialise of forms) assert.deepEqual(accepts({ serialise }), accepts())
  })

  test('may hold signed members of later days', () => {
    accepts({ release: { later: { a: [1, 'x'] } }, rollout: { rules: [], later: true } })
  })

  test('may carry signatures of other keys and of no use', () => {
    accepts({ releaseSigners: [stranger, releaseKey], rolloutSigners: [rolloutKey, stranger] })
    const spoil = (document: JsonObject): void => {
      for (const statement of [document, member(document, 'rollout')]) {
        const signatures = statement['signatures'] as JsonValue[]
        signatures.unshift({ key: releaseKey.id, sig: '' }, { key: rolloutKey.id, sig: 'A'.repeat(1000) }, null, 7)
      }
    }
    accepts({ edit: spoil })
  })
})

// In the order of SPEC 4. Each is one fault in a manifest that is otherwise valid and properly signed.
const FAULTS: readonly (readonly [name: string, code: ErrorCode, options: ManifestOptions, twin?: ManifestOptions])[] =
  [
    [
      'larger than the limit',
      'ERR_MANIFEST_TOO_LARGE',
      { serialise: padded(MANIFEST_MAX_BYTES + 1) },
      { serialise: padded(MANIFEST_MAX_BYTES) },
    ],
    [
      'followed by rubbish',
      'ERR_MANIFEST_SYNTAX',
      { serialise: (document) => `${JSON.stringify(document)}\nx` },
      { serialise: (document) => `${JSON.stringify(document)}\n\n` },
    ],
    [
      'with a member twice',
      'ERR_MANIFEST_SYNTAX',
      { serialise: (document) => `{"version":"1.4.2",${JSON.stringify(document).slice(1)}` },
    ],
    ['an array', 'ERR_MANIFEST_SCHEMA', { serialise: (document) => `[${JSON.stringify(document)}]` }],
    ['a root document', 'ERR_MANIFEST_FORMAT', { serialise: () => JSON.stringify(makeRoot()) }],
    ['a rollout statement', 'ERR_MANIFEST_FORMAT', { serialise: (document) => JSON.stringify(document['rollout']) }],
    ['a release of a later format', 'ERR_MANIFEST_FORMAT', { release: { format: 'moult/2' } }],
    ['a release that is signed as a rollout', 'ERR_MANIFEST_FORMAT', { rollout: { format: 'moult/1' } }],
    [
      'without a rollout',
      'ERR_MANIFEST_SCHEMA',
      {
        edit: (document) => {
          delete document['rollout']
        },
      },
    ],
    ['without a version', 'ERR_MANIFEST_SCHEMA', { release: { version: undefined } }],
    [
      'with a size in quotes',
      'ERR_MANIFEST_SCHEMA',
      { release: { binaries: { 'linux-amd64': { url: 'x', sha256: '0'.repeat(64), size: '1' } } } },
      { release: { binaries: { 'linux-amd64': { url: 'x', sha256: '0'.repeat(64), size: 1 } } } },
    ],
    [
      'with an impossible expiry',
      'ERR_MANIFEST_SCHEMA',
      { rollout: { expires: '2026-11-31T00:00:00Z' } },
      { rollout: { expires: '2026-11-30T00:00:00Z' } },
    ],
    ['without an expiry', 'ERR_MANIFEST_SCHEMA', { rollout: { expires: undefined } }],
    ['with sequence 0', 'ERR_MANIFEST_SCHEMA', { rollout: { sequence: 0 } }, { rollout: { sequence: 1 } }],
    ['with a chain that is no array', 'ERR_MANIFEST_SCHEMA', { chain: {} }, { chain: [] }],
    ['with rubbish in the chain', 'ERR_TRUST_ROOT', { chain: ['x'] }, { chain: [makeRoot()] }],
    ['with a forged root', 'ERR_TRUST_SIGNATURE', { chain: [makeRoot({ version: 2, signers: [stranger] })] }],
    [
      'without release signatures',
      'ERR_TRUST_UNSIGNED',
      {
        edit: (document) => {
          delete document['signatures']
        },
      },
    ],
    ['with no release signature', 'ERR_TRUST_UNSIGNED', { releaseSigners: [] }],
    ['with a release signed by a stranger', 'ERR_TRUST_SIGNATURE', { releaseSigners: [stranger] }],
    ['with a release signed by the root key', 'ERR_TRUST_SIGNATURE', { releaseSigners: [rootKey] }],
    ['with a release signed by the rollout key', 'ERR_TRUST_SIGNATURE', { releaseSigners: [rolloutKey] }],
    [
      'with a release changed after signing',
      'ERR_TRUST_SIGNATURE',
      {
        edit: (document) => {
          document['changelog'] = 'y'
        },
      },
    ],
    [
      'with a release member added after signing',
      'ERR_TRUST_SIGNATURE',
      {
        edit: (document) => {
          document['extra'] = 1
        },
      },
    ],
    [
      'with a release member removed after signing',
      'ERR_TRUST_SIGNATURE',
      {
        edit: (document) => {
          delete document['changelog']
        },
      },
    ],
    [
      'without rollout signatures',
      'ERR_TRUST_UNSIGNED',
      {
        edit: (document) => {
          delete member(document, 'rollout')['signatures']
        },
      },
    ],
    ['with a rollout signed by the release key', 'ERR_TRUST_SIGNATURE', { rolloutSigners: [releaseKey] }],
    ['with a rollout signed by the root key', 'ERR_TRUST_SIGNATURE', { rolloutSigners: [rootKey] }],
    [
      'with a rollout changed after signing',
      'ERR_TRUST_SIGNATURE',
      {
        edit: (document) => {
          member(document, 'rollout')['paused'] = false
        },
      },
    ],
    ['with the release of another name', 'ERR_TRUST_TARGET', { release: { name: 'another-agent' } }],
    ['with the rollout of another name', 'ERR_TRUST_TARGET', { rollout: { name: 'another-agent' } }],
    [
      'of another channel',
      'ERR_TRUST_TARGET',
      { rollout: { channel: 'beta' } },
      { rollout: { channel: 'beta' }, channel: 'beta' },
    ],
    [
      'with the rollout of another release',
      'ERR_TRUST_BINDING',
      { rollout: { release: statementDigest(makeRelease({ version: '1.4.1' }), RELEASE_UNSIGNED) } },
    ],
    [
      'behind the floor',
      'ERR_TRUST_REPLAY',
      { floor: { sequence: 43, digest: 'x' } },
      { floor: { sequence: 41, digest: 'x' } },
    ],
    [
      'behind the floor although its version is higher',
      'ERR_TRUST_REPLAY',
      { release: { version: '99.0.0' }, floor: { sequence: 43, digest: 'x' } },
    ],
    [
      'another one with the sequence of the floor',
      'ERR_TRUST_EQUIVOCATION',
      { floor: { ...floorOf({}), digest: '0'.repeat(64) } },
      { floor: floorOf({}) },
    ],
    [
      'issued after it expires',
      'ERR_TRUST_DATE',
      { rollout: { issued: '2026-12-05T02:00:01Z' } },
      { rollout: { issued: '2026-12-05T01:59:59Z' } },
    ],
    ['issued when it expires', 'ERR_TRUST_DATE', { rollout: { issued: '2026-12-05T02:00:00Z' } }],
    [
      'good for more than 400 days',
      'ERR_TRUST_DATE',
      { rollout: { expires: '2027-12-26T02:00:01Z' } },
      { rollout: { expires: '2027-12-26T02:00:00Z' } },
    ],
    [
      'dated by a broken clock',
      'ERR_TRUST_DATE',
      { rollout: { issued: '2099-01-01T00:00:00Z', expires: '2099-01-15T00:00:00Z' } },
    ],
    [
      'expired',
      'ERR_TRUST_EXPIRED',
      { rollout: { expires: '2026-11-22T02:00:00Z' } },
      { rollout: { expires: '2026-11-22T02:00:01Z' } },
    ],
  ]

function padded(size: number) {
  return (document: JsonObject): string => {
    const text = JSON.stringify(document)
    return text + ' '.repeat(size - Buffer.byteLength(text))
  }
}

describe('a manifest is refused, with nothing stored, when it is', () => {
  for (const [name, code, options, twin = {}] of FAULTS) {
    test(`${name}: ${code}`, () => {
      refuses(code, options)
      accepts(twin)
    })
  }

  test('below the threshold of a role', () => {
    const two: TestKeys = { ...keys, release: [releaseKey, stranger], rollout: [rolloutKey, stranger] }
    const base = { keys: two, pinned: makeRoot({ keys: two, thresholds: { release: 2, rollout: 2 } }) }
    accepts(base)
    refuses('ERR_TRUST_THRESHOLD', { ...base, releaseSigners: [stranger] })
    refuses('ERR_TRUST_THRESHOLD', { ...base, releaseSigners: [stranger, stranger] })
    refuses('ERR_TRUST_THRESHOLD', { ...base, releaseSigners: [releaseKey, rolloutKey] })
    refuses('ERR_TRUST_THRESHOLD', { ...base, rolloutSigners: [rolloutKey] })
  })

  test('vouched for only by an expired root', () => {
    accepts({ pinned: makeRoot({ expires: '2026-11-22T02:00:01Z' }) })
    refuses('ERR_TRUST_ROOT_EXPIRED', { pinned: makeRoot({ expires: '2026-11-22T02:00:00Z' }) })
  })

  test('empty, or not text', () => {
    const { trust } = makeManifest()
    for (const bytes of [
      new Uint8Array(0),
      encode('<!doctype html>'),
      encode('null'),
      encode('{}'),
      new Uint8Array(1000).fill(0xff),
    ]) {
      const verdict = verifyManifest(bytes, trust, NOW_MS)
      assert.equal(verdict.kind, 'refused')
      assert.equal(verdict.kind === 'refused' && verdict.error.exitCode, 21)
    }
  })
})

test('the first check that fails, in the order of the specification, gives the code', () => {
  const rotten: ManifestOptions & Required<Pick<ManifestOptions, 'rollout'>> = { rollout: {} }
  // From the last check to the first: each fault is added to those behind it and hides them all.
  const steps: [ErrorCode, (before: typeof rotten) => typeof rotten][] = [
    ['ERR_TRUST_EXPIRED', (m) => ({ ...m, rollout: { ...m.rollout, expires: '2026-11-21T12:00:00Z' } })],
    ['ERR_TRUST_DATE', (m) => ({ ...m, rollout: { ...m.rollout, issued: '2026-11-21T13:00:00Z' } })],
    ['ERR_TRUST_REPLAY', (m) => ({ ...m, floor: { sequence: 43, digest: '' } })],
    ['ERR_TRUST_BINDING', (m) => ({ ...m, rollout: { ...m.rollout, release: '0'.repeat(64) } })],
    ['ERR_TRUST_TARGET', (m) => ({ ...m, rollout: { ...m.rollout, channel: 'beta' } })],
    ['ERR_TRUST_SIGNATURE', (m) => ({ ...m, rolloutSigners: [stranger] })],
    ['ERR_TRUST_UNSIGNED', (m) => ({ ...m, releaseSigners: [] })],
    ['ERR_TRUST_ROOT_EXPIRED', (m) => ({ ...m, pinned: makeRoot({ expires: '2026-01-01T00:00:00Z' }) })],
    ['ERR_TRUST_ROOT', (m) => ({ ...m, chain: [null] })],
    ['ERR_MANIFEST_SCHEMA', (m) => ({ ...m, release: { version: 'x' } })],
    ['ERR_MANIFEST_SYNTAX', (m) => ({ ...m, serialise: (document) => `${JSON.stringify(document)}x` })],
    ['ERR_MANIFEST_TOO_LARGE', (m) => ({ ...m, serialise: (document) => `${padded(MANIFEST_MAX_BYTES)(document)}x` })],
  ]
  let options = rotten
  accepts(options)
  for (const [code, worsen] of steps) {
    options = worsen(options)
    refuses(code, options)
  }
})

test('no byte of a valid file can be changed: each one breaks the parse, the shape or a signature, and nothing is thrown', () => {
  const small: ManifestOptions = {
    release: { changelog: undefined, binaries: { 'linux-amd64': { url: 'x', sha256: 'ab'.repeat(32), size: 7 } } },
    serialise: (document) => JSON.stringify(document),
  }
  const { bytes, trust } = makeManifest(small)
  accepts(small)
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = bytes.slice()
    // One bit, another for each byte: bit 5 makes another letter case, bit 7 breaks UTF-8.
    changed[index] = (bytes[index] ?? 0) ^ (1 << (index % 8))
    const verdict = verifyManifest(changed, trust, NOW_MS)
    assert.equal(verdict.kind, 'refused', `byte ${index}: ${Buffer.from(changed).toString('latin1')}`)
    assert.ok(verdict.kind === 'refused' && verdict.error.code !== 'ERR_BUG', `byte ${index}`)
    assert.deepEqual(verdict.trust, trust)
  }
})

test('no file that was cut short is accepted', () => {
  const { bytes, trust } = makeManifest({ serialise: (document) => JSON.stringify(document) })
  for (let length = 0; length < bytes.length; length += 1) {
    const verdict = verifyManifest(bytes.subarray(0, length), trust, NOW_MS)
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_MANIFEST_SYNTAX')
  }
})

describe('later roots in a manifest', () => {
  const rotated: TestKeys = { ...keys, release: [makeKey('release 2')], rollout: [makeKey('rollout 2')] }
  const pinned = makeRoot()
  const [two] = makeRootChain(2, (version) => (version === 2 ? { keys: rotated } : {}))
  const chain: JsonValue = [two ?? null]

  test('are followed before the signatures are checked: new keys sign, removed ones no longer do', () => {
    const trust = accepts({ pinned, chain, keys: rotated })
    assert.equal(trust.root.version, 2)
    const old = verdictOf({ pinned, chain, keys })
    assert.equal(old.kind === 'refused' && old.error.code, 'ERR_TRUST_SIGNATURE')
  })

  test('stay accepted when the manifest that carried them is refused', () => {
    const refused: [ErrorCode, ManifestOptions][] = [
      ['ERR_TRUST_SIGNATURE', { releaseSigners: [stranger] }],
      ['ERR_TRUST_TARGET', { rollout: { channel: 'beta' } }],
      ['ERR_TRUST_EXPIRED', { rollout: { expires: '2026-11-21T12:00:00Z' } }],
      ['ERR_TRUST_ROOT', { chain: [two ?? null, 'x'] }],
    ]
    for (const [code, options] of refused) {
      const verdict = verdictOf({ pinned, chain, keys: rotated, ...options })
      assert.equal(verdict.kind === 'refused' && verdict.error.code, code)
      assert.equal(verdict.trust.root.version, 2)
      assert.equal(
        verifyManifest(makeManifest({ keys }).bytes, verdict.trust, NOW_MS).kind,
        'refused',
        'the old keys are gone for good',
      )
      assert.equal(verifyManifest(makeManifest({ keys: rotated }).bytes, verdict.trust, NOW_MS).kind, 'accepted')
    }
  })

  test('let either key sign while two overlap', () => {
    const both: TestKeys = { ...keys, release: [releaseKey, stranger] }
    const overlap = makeRootChain(2, (version) => (version === 2 ? { keys: both } : {}))
    accepts({ pinned, chain: overlap, releaseSigners: [releaseKey] })
    accepts({ pinned, chain: overlap, releaseSigners: [stranger] })
  })

  test('may be expired in the middle but not at the end, and a successor still heals it', () => {
    const expired = (dead: number) =>
      makeRootChain(3, (version) => (version === dead ? { expires: '2026-01-01T00:00:00Z' } : {}))
    assert.equal(accepts({ pinned, chain: expired(2) }).root.version, 3)
    const verdict = verdictOf({ pinned, chain: expired(3) })
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_TRUST_ROOT_EXPIRED')
    assert.equal(verdict.trust.root.version, 3)
    const four = makeRoot({ version: 4 })
    const healed = verifyManifest(makeManifest({ chain: [four] }).bytes, verdict.trust, NOW_MS)
    assert.equal(healed.kind, 'accepted')
    assert.equal(healed.trust.root.version, 4)
  })

  test('never give another application power over this one', () => {
    const foreign = makeRoot({ version: 2, name: 'another-agent' })
    refuses('ERR_TRUST_ROOT', { pinned, chain: [foreign] })
  })
})

describe('the sequence floor', () => {
  const burnt = { sequence: Number.MAX_SAFE_INTEGER, digest: 'f'.repeat(64) }
  const pinned = makeRoot()
  const chainTo = (changed: Partial<TestKeys>, thresholds = {}): JsonObject[] =>
    makeRootChain(2, (version) => (version === 2 ? { keys: { ...keys, ...changed }, thresholds } : {}))

  test('does not fall under a new root with the same keys', () => {
    accepts({ pinned, chain: chainTo({}) })
    const verdict = verdictOf({ pinned, chain: chainTo({}), floor: burnt })
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_TRUST_REPLAY')
    assert.deepEqual(verdict.trust.floor, burnt)
  })

  test('is set anew when a rollout key is revoked: a thief who burnt all numbers is survived', () => {
    const rollout = [makeKey('rollout 2')]
    const trust = accepts({ pinned, chain: chainTo({ rollout }), keys: { ...keys, rollout }, floor: burnt })
    assert.equal(trust.floor.sequence, 42)
  })

  test('is set anew when a rollout key was revoked on the way, though the last root has it again', () => {
    const other = [makeKey('rollout 2')]
    const chain = makeRootChain(3, (version) => (version === 2 ? { keys: { ...keys, rollout: other } } : {}))
    assert.equal(accepts({ pinned, chain, floor: burnt }).floor.sequence, 42)
  })

  test('stands when a release key is revoked: that role signs no sequence, and old rollouts must not return', () => {
    const release = [makeKey('release 2')]
    const options = { pinned, chain: chainTo({ release }), keys: { ...keys, release } }
    accepts({ ...options, floor: { sequence: 41, digest: '' } })
    const verdict = verdictOf({ ...options, floor: { sequence: 43, digest: '' } })
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_TRUST_REPLAY')
    assert.deepEqual(verdict.trust.floor, { sequence: 43, digest: '' })
  })

  test('is set anew when a role asks for more signatures', () => {
    const rollout = [rolloutKey, stranger]
    const before = makeRoot({ keys: { ...keys, rollout } })
    const chain = [makeRoot({ version: 2, keys: { ...keys, rollout }, thresholds: { rollout: 2 } })]
    assert.equal(accepts({ pinned: before, chain, keys: { ...keys, rollout }, floor: burnt }).floor.sequence, 42)
  })

  test('stands when a key is only added, so that the overlap of a rotation is no time for replays', () => {
    const chain = chainTo({ rollout: [rolloutKey, stranger], release: [releaseKey, stranger] })
    accepts({ pinned, chain, floor: { sequence: 41, digest: '' } })
    const verdict = verdictOf({ pinned, chain, floor: { sequence: 43, digest: '' } })
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_TRUST_REPLAY')
    assert.deepEqual(verdict.trust.floor, { sequence: 43, digest: '' })
  })

  test('stands when only root keys change', () => {
    const root = [rootKey, stranger]
    const verdict = verdictOf({ pinned, chain: chainTo({ root }), floor: burnt })
    assert.equal(verdict.trust.root.version, 2)
    assert.deepEqual(verdict.trust.floor, burnt)
  })

  test('allows an older version with a higher sequence: the publisher may go back, the host may not', () => {
    const trust = accepts()
    const back = makeManifest({ release: { version: '1.4.1' }, rollout: { sequence: 43, rollback: ['1.4.2'] } })
    assert.equal(verifyManifest(back.bytes, trust, NOW_MS).kind, 'accepted')
  })
})

describe('what a thief of one key gains', () => {
  const statementOf = (signer: TestKey, release: JsonObject, sequence: number): JsonObject =>
    signStatement(makeRollout(release, { sequence }), [signer])

  test('with the rollout key: another released version, but no new bytes', () => {
    const older = makeRelease({ version: '1.4.1' })
    const genuine = signStatement(older, [releaseKey], RELEASE_UNSIGNED)
    const { trust } = makeManifest()
    const offer = (release: JsonObject): string => {
      const document = { ...release, rollout: statementOf(rolloutKey, release, 99) }
      const verdict = verifyManifest(encode(JSON.stringify(document)), trust, NOW_MS)
      return verdict.kind === 'accepted' ? 'accepted' : verdict.error.code
    }
    assert.equal(offer(genuine), 'accepted')
    assert.equal(offer({ ...genuine, version: '9.9.9' }), 'ERR_TRUST_SIGNATURE')
    assert.equal(
      offer(signStatement(makeRelease({ version: '9.9.9' }), [rolloutKey], RELEASE_UNSIGNED)),
      'ERR_TRUST_SIGNATURE',
    )
  })

  test('with the release key: nothing, until the rollout key speaks', () => {
    const evil = makeRelease({ version: '9.9.9' })
    refuses('ERR_TRUST_SIGNATURE', { release: { version: '9.9.9' }, rolloutSigners: [releaseKey] })
    const rollout = makeManifest().document['rollout'] ?? null
    refuses('ERR_TRUST_BINDING', {
      release: { version: evil['version'] ?? null },
      edit: (document) => {
        document['rollout'] = rollout
      },
    })
  })
})

describe('a check that breaks', () => {
  test('refuses the manifest as a defect and keeps what was believed', () => {
    const { bytes, trust } = makeManifest()
    const hostileKeys = new Map(trust.root.roles.release.keys)
    hostileKeys.get = () => {
      throw new RangeError('broken')
    }
    const root = { ...trust.root, roles: { ...trust.root.roles, release: { threshold: 1, keys: hostileKeys } } }
    const verdict = verifyManifest(bytes, { ...trust, root }, NOW_MS)
    assert.equal(verdict.kind === 'refused' && verdict.error.code, 'ERR_BUG')
    assert.equal(verdict.kind === 'refused' && (verdict.error.cause as Error).message, 'broken')
    assert.equal(verdict.trust.root, root)
  })

  test('does so for arguments that are no bytes, no trust or no time', () => {
    const { bytes, trust } = makeManifest()
    assert.equal(verifyManifest(undefined as unknown as Uint8Array, trust, NOW_MS).kind, 'refused')
    assert.equal(verifyManifest(bytes, { channel: 'stable' } as unknown as Trust, NOW_MS).kind, 'refused')
    for (const now of [Number.NaN, Number.POSITIVE_INFINITY])
      assert.equal(verifyManifest(bytes, trust, now).kind, 'refused')
  })
})

describe('the clock', () => {
  test('far behind does not lock an agent out of a manifest of today within ten years', () => {
    accepts({}, parseDate('2017-01-01T00:00:00Z'))
    refuses('ERR_TRUST_DATE', {}, 0)
  })

  test('decides on expiry to the millisecond', () => {
    const expires = parseDate('2026-12-05T02:00:00Z') ?? 0
    accepts({}, expires - 1)
    refuses('ERR_TRUST_EXPIRED', {}, expires)
    refuses('ERR_TRUST_EXPIRED', {}, expires + DAY_MS)
  })
})
