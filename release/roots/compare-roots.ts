// What a root changes, as data: the basis of every sentence that a person reads before signing. A change that has no
// case of its own is reported by the name of its member, so that nothing is signed unseen.

import {
  canonicalJson,
  isRoleTightened,
  type JsonObject,
  type KeyId,
  ROLE_NAMES,
  type RoleName,
  type Root,
  sha256,
} from '../../manifests/index.ts'

export type RootChange =
  | { readonly kind: 'key-added' | 'key-removed'; readonly role: RoleName; readonly key: KeyId }
  /** `from` is absent in a first root. */
  | {
      readonly kind: 'threshold'
      readonly role: RoleName
      readonly from?: number
      readonly to: number
      readonly of: number
    }
  | { readonly kind: 'expires'; readonly from?: string; readonly to: string }
  | { readonly kind: 'member'; readonly member: string; readonly state: 'added' | 'removed' | 'changed' }

const KNOWN_MEMBERS = ['format', 'name', 'version', 'expires', 'keys', 'roles', 'signatures']

/** @param before absent for the first root, of which everything is new */
export function compareRoots(before: Root | undefined, after: Root): RootChange[] {
  const from = before?.document['expires'] as string | undefined
  const to = after.document['expires'] as string
  return [
    ...ROLE_NAMES.flatMap((role) => compareRole(role, before, after)),
    ...(from === to ? [] : [{ kind: 'expires' as const, ...(from === undefined ? {} : { from }), to }]),
    ...compareMembers(before, after),
  ]
}

/** True when what was signed under the old role may not count any more. */
export function isTightened(role: RoleName, before: Root | undefined, after: Root): boolean {
  return before !== undefined && isRoleTightened(role, before, after)
}

function compareRole(role: RoleName, before: Root | undefined, after: Root): RootChange[] {
  const [old, now] = [before?.roles[role], after.roles[role]]
  const oldKeys = [...(old?.keys.keys() ?? [])]
  const changes: RootChange[] = oldKeys
    .filter((key) => !now.keys.has(key))
    .map((key) => ({ kind: 'key-removed', role, key }))
  for (const key of now.keys.keys()) if (!oldKeys.includes(key)) changes.push({ kind: 'key-added', role, key })
  if (old?.threshold !== now.threshold) {
    const from = old === undefined ? {} : { from: old.threshold }
    changes.push({ kind: 'threshold', role, ...from, to: now.threshold, of: now.keys.size })
  }
  return changes
}

/** Members that agents do not read: of the document, of `roles`, and of each key beside its type and its bytes. */
function compareMembers(before: Root | undefined, after: Root): RootChange[] {
  const [old, now] = [otherMembers(before?.document), otherMembers(after.document)]
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((member) => old.get(member) !== now.get(member))
    .map((member) => {
      const state = !old.has(member) ? 'added' : now.has(member) ? 'changed' : 'removed'
      return { kind: 'member' as const, member, state }
    })
}

function otherMembers(document: JsonObject = {}): Map<string, string> {
  const found = new Map<string, string>()
  const note = (path: string, value: JsonObject, known: readonly string[]): void => {
    for (const [name, member] of Object.entries(value))
      if (!known.includes(name)) found.set(`${path}${name}`, sha256(canonicalJson(member)))
  }
  note('', document, KNOWN_MEMBERS)
  note('roles.', (document['roles'] ?? {}) as JsonObject, ROLE_NAMES)
  for (const [id, key] of Object.entries((document['keys'] ?? {}) as Record<string, JsonObject>))
    note(`keys.${id}.`, key, ['type', 'public'])
  return found
}
