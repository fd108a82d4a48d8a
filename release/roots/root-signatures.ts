// Who has signed a root document, and who still has to.

import { assertSigned, formatDate, isMoultError, type KeyId, MoultError, type Root } from '../../manifests/index.ts'

/** One of the two thresholds that a root has to reach: that of the root before it, and its own. */
export interface Requirement {
  /** Version of the root whose role `root` is meant. */
  readonly root: number
  readonly threshold: number
  readonly signed: readonly KeyId[]
  readonly unsigned: readonly KeyId[]
  /** How many of `unsigned` are still needed. */
  readonly missing: number
}

/** Keys with a signature that verifies, by the very code that agents run. */
export function signersOf({ version, document }: Root, keys: ReadonlyMap<KeyId, Uint8Array>): KeyId[] {
  return [...keys].filter(([id, key]) => isSignedBy(`root ${version}`, document, id, key)).map(([id]) => id)
}

function isSignedBy(what: string, document: Root['document'], id: KeyId, key: Uint8Array): boolean {
  try {
    assertSigned(what, document, ['signatures'], { threshold: 1, keys: new Map([[id, key]]) })
    return true
  } catch (error) {
    if (isMoultError(error)) return false
    throw error
  }
}

export function requirementsOf(draft: Root, previous: Root | undefined): Requirement[] {
  return [...(previous === undefined ? [] : [previous]), draft].map(({ version, roles: { root } }) => {
    const signed = signersOf(draft, root.keys)
    return {
      root: version,
      threshold: root.threshold,
      signed,
      unsigned: [...root.keys.keys()].filter((id) => !signed.includes(id)),
      missing: Math.max(0, root.threshold - signed.length),
    }
  })
}

/** @throws MoultError ERR_TRUST_UNSIGNED, ERR_TRUST_THRESHOLD or ERR_TRUST_ROOT_EXPIRED: what agents would say */
export function assertComplete(draft: Root, previous: Root | undefined, now: number): void {
  const requirements = requirementsOf(draft, previous)
  const open = requirements.filter(({ missing }) => missing > 0)
  if (open.length > 0) {
    const isUnsigned = requirements.every(({ signed }) => signed.length === 0)
    const needs = open.map(({ root, missing }) => `${missing} more of the root keys of root ${root}`)
    throw new MoultError(
      isUnsigned ? 'ERR_TRUST_UNSIGNED' : 'ERR_TRUST_THRESHOLD',
      `not complete: root ${draft.version} needs ${needs.join(', and ')}`,
      {
        hint: 'Carry the draft to who holds one of them, who runs `moult root sign --key <file> --file <draft>`.',
        details: { root: draft.version, requirements },
      },
    )
  }
  if (draft.expiresMs <= now) {
    throw new MoultError('ERR_TRUST_ROOT_EXPIRED', `expired at ${formatDate(draft.expiresMs)}: root ${draft.version}`, {
      hint: 'Set a later date with `moult root rotate --expires 5y`, and have it signed again.',
      details: { root: draft.version },
    })
  }
}

/** @throws MoultError ERR_TRUST_ROOT */
export function assertNext(draft: Root, previous: Root | undefined): void {
  const version = (previous?.version ?? 0) + 1
  if (draft.version !== version) {
    throw new MoultError('ERR_TRUST_ROOT', `root ${draft.version} does not follow root ${version - 1}`, {
      hint: 'A draft is signed beside the root before it: name that one with --previous.',
    })
  }
  if (previous !== undefined && draft.name !== previous.name) {
    throw new MoultError('ERR_TRUST_ROOT', `root ${draft.version} is for ${draft.name} instead of ${previous.name}`)
  }
}
