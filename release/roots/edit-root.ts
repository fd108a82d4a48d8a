// Root documents before they are signed: the first one, the next one, and changes to either. All of it is pure; what
// comes out was read by `readRoot`, so no draft exists that agents would refuse for its shape.

import {
  canonicalJson,
  encodeBase64,
  type JsonObject,
  type KeyId,
  keyIdOf,
  MoultError,
  readRoot,
  ROLE_NAMES,
  type RoleName,
  type Root,
  ROOT_FORMAT,
  sha256,
} from '../../manifests/index.ts'

export interface RoleKeys {
  readonly keys: readonly Uint8Array[]
  readonly threshold: number
}

export type RootEdit =
  | { readonly kind: 'add'; readonly role: RoleName; readonly key: Uint8Array }
  /** `id` may be the beginning of a key id, as long as it is that of one key of the role only. */
  | { readonly kind: 'remove'; readonly role: RoleName; readonly id: string }
  | { readonly kind: 'threshold'; readonly role: RoleName; readonly threshold: number }
  | { readonly kind: 'expires'; readonly at: string }

const ID_PREFIX = /^[0-9a-f]{4,64}$/

/** Root 1, unsigned. @throws MoultError ERR_TRUST_ROOT or ERR_TRUST_KEY */
export function firstRoot(name: string, expires: string, roles: Readonly<Record<RoleName, RoleKeys>>): Root {
  const keys = ROLE_NAMES.flatMap((role) => roles[role].keys)
  return readDraft({
    format: ROOT_FORMAT,
    name,
    version: 1,
    expires,
    keys: Object.fromEntries(keys.map((key) => [keyIdOf(key), keyEntry(key)])),
    roles: Object.fromEntries(
      ROLE_NAMES.map((role) => [role, { keys: roles[role].keys.map(keyIdOf), threshold: roles[role].threshold }]),
    ),
    signatures: [],
  })
}

/** The root after this one, unsigned and not yet changed. */
export function nextRoot(root: Root): Root {
  return readDraft({ ...root.document, version: root.version + 1, signatures: [] })
}

/**
 * The root with the edits and without signatures, which covered something else.
 * @throws MoultError ERR_USAGE_INVALID when an edit changes nothing, ERR_TRUST_ROOT when the result is no sound root
 */
export function editRoot(root: Root, edits: readonly RootEdit[]): Root {
  const document = structuredClone(root.document)
  for (const edit of edits) applyEdit(document, edit)
  dropUnusedKeys(document)
  if (sha256(canonicalJson(document)) === sha256(canonicalJson(root.document))) {
    throw new MoultError('ERR_USAGE_INVALID', `nothing to change: root ${root.version} has that already`)
  }
  return readDraft({ ...document, signatures: [] })
}

function applyEdit(document: JsonObject, edit: RootEdit): void {
  if (edit.kind === 'expires') {
    document['expires'] = edit.at
    return
  }
  const role = (document['roles'] as Record<string, { keys: KeyId[]; threshold: number }>)[edit.role]
  if (role === undefined) throw new MoultError('ERR_USAGE_INVALID', `no such role: ${edit.role}`)
  switch (edit.kind) {
    case 'threshold':
      role.threshold = edit.threshold
      return
    case 'remove':
      role.keys.splice(role.keys.indexOf(findKeyId(edit.id, edit.role, role.keys)), 1)
      return
    case 'add': {
      const id = keyIdOf(edit.key)
      if (role.keys.includes(id)) throw new MoultError('ERR_USAGE_INVALID', `role ${edit.role} has this key: ${id}`)
      role.keys.push(id)
      const listed = document['keys'] as JsonObject
      listed[id] ??= keyEntry(edit.key)
    }
  }
}

/** The one id that is meant. @throws MoultError ERR_USAGE_INVALID */
export function findKeyId(prefix: string, role: RoleName, ids: readonly KeyId[]): KeyId {
  const found = ID_PREFIX.test(prefix) ? ids.filter((id) => id.startsWith(prefix)) : []
  const [id] = found
  if (id !== undefined && found.length === 1) return id
  const reason = found.length > 1 ? 'more than one key begins like this' : 'no such key'
  throw new MoultError('ERR_USAGE_INVALID', `${reason} in role ${role}: ${prefix}`, {
    hint: `Name a key by its id, or by at least 4 of its first digits. The role has: ${ids.join(', ')}`,
    details: { role, key: prefix, keys: ids },
  })
}

/** A key that no role names any more would only make readers wonder. */
function dropUnusedKeys(document: JsonObject): void {
  const roles = Object.values(document['roles'] as Record<string, { keys?: KeyId[] }>)
  const used = new Set(roles.flatMap((role) => role.keys ?? []))
  const entries = Object.entries(document['keys'] as JsonObject)
  document['keys'] = Object.fromEntries(entries.filter(([id]) => used.has(id)))
}

function keyEntry(key: Uint8Array): JsonObject {
  return { type: 'ed25519', public: encodeBase64(key) }
}

function readDraft(document: JsonObject): Root {
  try {
    return readRoot(document)
  } catch (cause) {
    if (!(cause instanceof MoultError)) throw cause
    throw new MoultError(cause.code, `agents would refuse this root: ${cause.message}`, {
      hint: 'A role needs at least as many keys as its threshold, and at least one. `rotate` replaces a key in one step.',
      cause,
    })
  }
}
