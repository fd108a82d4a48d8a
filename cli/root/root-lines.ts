// Roots in plain words. All keys of a root are listed, in full, also those that stay: a draft may travel together with a
// false copy of the root before it, and then only the whole list shows what is signed.

import type { Requirement, RootChange, RootReview } from '../../release/index.ts'

const ROLES = ['root', 'release', 'rollout'] as const
type Role = (typeof ROLES)[number]
const ABILITY: Readonly<Record<Role, string>> = {
  root: 'change keys and roles',
  release: 'sign new versions',
  rollout: 'decide who gets a released version, and when',
}

/** A root as it will be, `+` and `-` before what it changes, and what follows from that. */
export function reviewLines(review: RootReview): string[] {
  const { name, version } = review.root
  const before = version === 1 ? 'the first' : `after root ${version - 1}`
  return [`Root ${version} of ${name}, ${before}:`, ...rootLines(review), ...(version === 1 ? [] : effectLines(review))]
}

export function rootLines({ root, changes }: RootReview): string[] {
  const isFirst = root.version === 1
  const expiry = changes.find((change) => change.kind === 'expires')
  return [
    ...ROLES.flatMap((role) => roleLines(role, root.roles[role], isFirst ? [] : changes)),
    `  expires  ${root.expires}${expiry?.from === undefined ? '' : `, instead of ${expiry.from}`}`,
    ...changes.flatMap((change) => (change.kind === 'member' ? [`  other    ${change.member}: ${change.state}`] : [])),
  ]
}

function roleLines(
  role: Role,
  { threshold, keys }: RootReview['root']['roles'][Role],
  changes: readonly RootChange[],
): string[] {
  const keysOf = (kind: RootChange['kind']): string[] =>
    changes.flatMap((change) => (change.kind === kind && 'key' in change && change.role === role ? [change.key] : []))
  const added = keysOf('key-added')
  const before = changes.find((change) => change.kind === 'threshold' && change.role === role)
  const instead = before?.kind === 'threshold' && before.from !== undefined ? `, instead of ${before.from}` : ''
  return [
    `  ${role.padEnd(8)} ${threshold} of ${keys.length} must sign${instead}`,
    ...keys.map((key) => `    ${added.includes(key) ? '+' : ' '} ${key}`),
    ...keysOf('key-removed').map((key) => `    - ${key}`),
  ]
}

function effectLines({ root, changes, tightened }: RootReview): string[] {
  const lines = ROLES.flatMap((role) => {
    const has = (kind: RootChange['kind']): boolean =>
      changes.some((change) => change.kind === kind && 'role' in change && change.role === role)
    const [gone, come] = [has('key-removed'), has('key-added')]
    if (gone && come) return [`other keys can ${ABILITY[role]}`]
    if (gone) return [`fewer keys can ${ABILITY[role]}`]
    return come ? [`more keys can ${ABILITY[role]}`] : []
  })
  if (tightened.includes('release'))
    lines.push('the live release counts only with signatures of the present release keys')
  if (tightened.includes('rollout'))
    lines.push('the sequence number seen so far is forgotten, as a thief may have raised it')
  if (lines.length === 0) return []
  return [`For an agent that has seen root ${root.version}:`, ...lines.map((line) => `  ${line}`)]
}

/** Who has signed, and who can. */
export function requirementLines(requirements: readonly Requirement[]): string[] {
  return requirements.flatMap(({ root, threshold, signed, unsigned, missing }) => [
    `  by root keys of root ${root}: ${signed.length} of ${threshold} signed${missing === 0 ? '' : `, ${missing} missing`}`,
    ...signed.map((key) => `    yes ${key}`),
    ...(missing === 0 ? [] : unsigned.map((key) => `    no  ${key}`)),
  ])
}
