// Roots by label: the keys are those of test/fixtures/signed-manifest.ts, the signers their private halves.

import { readRoot, type RoleName, type Root } from '../../../manifests/index.ts'
import { firstRoot, type RoleKeys } from '../../../release/roots/edit-root.ts'
import { signDocument } from '../../../release/sign.ts'
import { type Signer, signerOfSeed } from '../../../release/signers/signer.ts'
import { makeKey } from '../../fixtures/signed-manifest.ts'

export const NOW_MS = Date.UTC(2026, 10, 22)
export const EXPIRES = '2031-01-01T00:00:00Z'

export function signer(label: string): Signer {
  return signerOfSeed(makeKey(label).seed)
}

export function idOf(label: string): string {
  return makeKey(label).id
}

export function keyOf(label: string): Uint8Array {
  return makeKey(label).publicKey
}

/** `root: 'a b c'` with a threshold of its own, else 1. */
export function rootOf(
  roles: Readonly<Record<RoleName, string>>,
  thresholds: Partial<Record<RoleName, number>> = {},
): Root {
  const keysOf = (role: RoleName): RoleKeys => ({
    keys: roles[role].split(' ').map(keyOf),
    threshold: thresholds[role] ?? 1,
  })
  return firstRoot('tide-gauge', EXPIRES, {
    root: keysOf('root'),
    release: keysOf('release'),
    rollout: keysOf('rollout'),
  })
}

export async function signedBy(root: Root, ...labels: readonly string[]): Promise<Root> {
  return readRoot(await signDocument(root.document, ['signatures'], labels.map(signer)))
}

/** Three root keys of which two must sign, and one key for each other role. */
export const PLAIN = rootOf({ root: 'a b c', release: 'release', rollout: 'rollout' }, { root: 2 })
