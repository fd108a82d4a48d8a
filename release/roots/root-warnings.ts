import { formatDate, type KeyId, ROLE_NAMES, type Root } from '../../manifests/index.ts'

const EXPIRY_WARNING_MS = 90 * 24 * 60 * 60 * 1000

/** What agents accept and a person should think about twice: one sentence each. */
export function warningsFor(root: Root, now: number): string[] {
  const { roles } = root
  const warnings: string[] = []
  const rolesOf = new Map<KeyId, string[]>()
  for (const role of ROLE_NAMES)
    for (const id of roles[role].keys.keys()) rolesOf.set(id, [...(rolesOf.get(id) ?? []), role])
  for (const [id, own] of rolesOf) {
    if (own.includes('root') && own.includes('rollout'))
      warnings.push(`key ${id} is in root and rollout: the key of a job that runs every day could change all keys.`)
    else if (own.length > 1)
      warnings.push(`key ${id} plays several roles (${own.join(', ')}): lose it, and all are lost.`)
  }
  if (roles.root.threshold === 1)
    warnings.push('the threshold of the role root is 1: whoever gets one root key can replace every key.')
  if (roles.root.keys.size === roles.root.threshold) {
    const which = roles.root.keys.size === 1 ? 'if the only root key is lost' : 'if any root key is lost'
    warnings.push(`${which}, no further root can be made; one more root key than the threshold would help.`)
  }
  if (root.expiresMs - now < EXPIRY_WARNING_MS)
    warnings.push(`it expires at ${formatDate(root.expiresMs)}; agents then install nothing until a later root.`)
  return warnings
}
