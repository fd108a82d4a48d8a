import { compareVersions, isVersion } from '../../manifests/versions.ts'

/** Older, equal or newer; what is no version, such as `none` or one that was cut, is older than all that are. */
export function compareVersionTexts(a: string, b: string): number {
  if (a === b) return 0
  const [isA, isB] = [isVersion(a), isVersion(b)]
  if (isA && isB) return compareVersions(a, b) || compareTexts(a, b)
  return isA === isB ? compareTexts(a, b) : isA ? 1 : -1
}

export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
