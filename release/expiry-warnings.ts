import { formatDate, isEndingSoon, type Manifest, type Root } from '../manifests/index.ts'

export interface ExpiryWarning {
  readonly kind: 'expires-soon'
  readonly what: 'rollout' | 'root'
  readonly expires: string
  readonly text: string
}

/** A root says no date of birth, and people have to meet for the next one. */
const ROOT_LEFT_MIN_MS = 90 * 24 * 60 * 60 * 1000

/** What still holds, and will not for long. */
export function expiryWarnings({ rollout }: Manifest, root: Root, now: number): ExpiryWarning[] {
  const warnings: ExpiryWarning[] = []
  if (isEndingSoon(rollout, now)) {
    const text = `less than a quarter of its life is left: the rollout expires at ${rollout.expires}; renew it with \`moult refresh\``
    warnings.push({ kind: 'expires-soon', what: 'rollout', expires: rollout.expires, text })
  }
  if (root.expiresMs - now < ROOT_LEFT_MIN_MS) {
    const date = formatDate(root.expiresMs)
    const text = `root ${root.version} expires at ${date}; sign a new one with \`moult root\``
    warnings.push({ kind: 'expires-soon', what: 'root', expires: date, text })
  }
  return warnings
}
