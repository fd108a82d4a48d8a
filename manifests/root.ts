// The root of trust: which keys play which role (SPEC 4). An agent starts from a pinned root and accepts root N+1 only
// when a threshold of root N's and of root N+1's own root keys have signed it.

import { parseDate } from './dates.ts'
import { MoultError } from './errors.ts'
import { decodePublicKey, HEX_SHA256, type KeyId, keyIdOf } from './keys.ts'
import { KEYS_MAX, MANIFEST_MAX_BYTES, ROOTS_PER_POLL_MAX } from './limits.ts'
import { array, integer, object, oneOf, record, type ShapeOf, string } from './shape.ts'
import { assertSigned, checkShape, dateShape, hashShape, nameShape, type SigningRole } from './statement.ts'
import type { JsonObject, JsonValue } from './strict-json.ts'

export const ROOT_FORMAT = 'moult-root/1'
export const ROLE_NAMES = ['root', 'release', 'rollout'] as const
export type RoleName = (typeof ROLE_NAMES)[number]

const roleShape = object({
  keys: array(hashShape, { min: 1, max: KEYS_MAX }),
  threshold: integer({ min: 1, max: KEYS_MAX }),
})
const rootShape = object(
  {
    format: oneOf(ROOT_FORMAT),
    name: nameShape,
    version: integer({ min: 1 }),
    expires: dateShape,
    keys: record(
      HEX_SHA256,
      object({ type: oneOf('ed25519'), public: string({ max: MANIFEST_MAX_BYTES }) }, { open: true }),
      {
        min: 1,
        max: KEYS_MAX,
      },
    ),
    roles: object({ root: roleShape, release: roleShape, rollout: roleShape }, { open: true }),
  },
  { open: true },
)

/** A root document whose shape and keys are sound. Its signatures are another matter: see `acceptRoots`. */
export interface Root {
  readonly name: string
  readonly version: number
  readonly expiresMs: number
  readonly roles: Readonly<Record<RoleName, SigningRole>>
  /** The document as it was read: what is stored, published and verified again. */
  readonly document: JsonObject
}

/** @throws MoultError ERR_TRUST_ROOT or ERR_TRUST_KEY */
export function readRoot(value: JsonValue): Root {
  let fields: ShapeOf<typeof rootShape>
  try {
    fields = checkShape(rootShape, value, 'root')
  } catch (cause) {
    throw new MoultError('ERR_TRUST_ROOT', (cause as Error).message, { cause })
  }
  const keys = new Map<KeyId, Uint8Array>()
  for (const [id, key] of Object.entries(fields.keys)) {
    const bytes = decodePublicKey(key.public)
    if (keyIdOf(bytes) !== id) throw new MoultError('ERR_TRUST_ROOT', `a key id that is not the hash of its key: ${id}`)
    keys.set(id, bytes)
  }
  const roles = Object.fromEntries(ROLE_NAMES.map((role) => [role, readRole(role, fields.roles[role], keys)]))
  return {
    name: fields.name,
    version: fields.version,
    expiresMs: parseDate(fields.expires) ?? 0,
    roles: roles as Record<RoleName, SigningRole>,
    document: value as JsonObject,
  }
}

function readRole(name: RoleName, role: ShapeOf<typeof roleShape>, keys: ReadonlyMap<KeyId, Uint8Array>): SigningRole {
  const own = new Map<KeyId, Uint8Array>()
  for (const id of role.keys) {
    const key = keys.get(id)
    if (key === undefined) throw new MoultError('ERR_TRUST_ROOT', `role ${name} names an unlisted key: ${id}`)
    if (own.has(id)) throw new MoultError('ERR_TRUST_ROOT', `role ${name} names a key twice: ${id}`)
    own.set(id, key)
  }
  if (role.threshold > own.size) {
    throw new MoultError('ERR_TRUST_ROOT', `role ${name} needs ${role.threshold} keys and has ${own.size}`)
  }
  return { threshold: role.threshold, keys: own }
}

/** Checks that a root is signed by its own root role, as a pinned one must be. @throws MoultError ERR_TRUST_* */
export function assertSelfSigned(root: Root): void {
  assertSigned(`root ${root.version}`, root.document, ['signatures'], root.roles.root)
}

export interface RootWalk {
  /** The newest root reached: progress counts even if a later step was refused. */
  readonly root: Root
  /** What stopped the walk, if something did. */
  readonly refused?: MoultError
  /** Whether a step revoked a rollout key or raised the role's threshold: see `isRoleTightened`. */
  readonly isRolloutRevoked: boolean
}

/** Follows the chain of root documents as far as it is sound, at most 64 steps a poll. */
export function acceptRoots(trusted: Root, offered: readonly JsonValue[]): RootWalk {
  let root = trusted
  let steps = 0
  let isRolloutRevoked = false
  for (const value of offered) {
    try {
      const next = readRoot(value)
      if (next.version <= root.version) continue
      if (steps === ROOTS_PER_POLL_MAX) break
      assertFollows(root, next)
      // Step by step: a key that was taken out and put back was revoked all the same.
      isRolloutRevoked ||= isRoleTightened('rollout', root, next)
      root = next
      steps += 1
    } catch (error) {
      if (error instanceof MoultError) return { root, refused: error, isRolloutRevoked }
      throw error
    }
  }
  return { root, isRolloutRevoked }
}

function assertFollows(root: Root, next: Root): void {
  if (next.version !== root.version + 1) {
    throw new MoultError('ERR_TRUST_ROOT', `root ${next.version} does not follow root ${root.version}`)
  }
  if (next.name !== root.name) {
    throw new MoultError('ERR_TRUST_ROOT', `root ${next.version} is for another name: ${next.name}`)
  }
  // Both at once: a key in both roles is checked once, and each check costs milliseconds.
  assertSigned(`root ${next.version}`, next.document, ['signatures'], root.roles.root, next.roles.root)
}

/**
 * True when a role lost a key or asks for more of them: what was signed under the old role may not count any more. A key
 * that is only added (the overlap of a rotation) takes nothing away: the old statements still verify, so their order
 * MUST still bind.
 */
export function isRoleTightened(role: RoleName, before: Root, after: Root): boolean {
  const [a, b] = [before.roles[role], after.roles[role]]
  return b.threshold > a.threshold || [...a.keys.keys()].some((id) => !b.keys.has(id))
}
