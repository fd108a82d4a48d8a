import { type KeyId, ROLE_NAMES, type RoleName, type Root } from '../../manifests/index.ts'
import { compareRoots, isTightened, type RootChange } from './compare-roots.ts'
import { type Requirement, requirementsOf } from './root-signatures.ts'
import { warningsFor } from './root-warnings.ts'

/** A root as plain data. */
export interface RootFacts {
  readonly name: string
  readonly version: number
  readonly expires: string
  readonly roles: Readonly<Record<RoleName, { readonly threshold: number; readonly keys: readonly KeyId[] }>>
}

/** Everything that a person should know about a root before signing or publishing it; plain data, as `--json` prints it. */
export interface RootReview {
  readonly root: RootFacts
  /** Against the root before it; for a first root, all of it. */
  readonly changes: readonly RootChange[]
  readonly warnings: readonly string[]
  readonly requirements: readonly Requirement[]
  readonly isComplete: boolean
  /** Roles from which something was taken: what was signed under them before may not count any more. */
  readonly tightened: readonly RoleName[]
}

export function factsOf({ name, version, document, roles }: Root): RootFacts {
  return {
    name,
    version,
    expires: document['expires'] as string,
    roles: Object.fromEntries(
      ROLE_NAMES.map((role) => [role, { threshold: roles[role].threshold, keys: [...roles[role].keys.keys()] }]),
    ) as unknown as RootFacts['roles'],
  }
}

export function reviewOf(root: Root, previous: Root | undefined, now: number): RootReview {
  const requirements = requirementsOf(root, previous)
  return {
    root: factsOf(root),
    changes: compareRoots(previous, root),
    warnings: warningsFor(root, now),
    requirements,
    isComplete: requirements.every(({ missing }) => missing === 0) && root.expiresMs > now,
    tightened: ROLE_NAMES.filter((role) => isTightened(role, previous, root)),
  }
}
