import compare from 'semver/functions/compare.js'
import parse from 'semver/functions/parse.js'

export const VERSION_MAX_CHARS = 128

/** True for a version of Semantic Versioning 2.0.0, exactly as written: no `v`, no spaces. */
export function isVersion(text: string): boolean {
  // semver trims what it parses, so '1.2.3\n' would pass; the version becomes a directory name and a log line.
  return text.length <= VERSION_MAX_CHARS && /^[0-9][0-9A-Za-z.+-]*$/.test(text) && parse(text) !== null
}

/**
 * Negative, zero or positive as `a` is older than, equal to or newer than `b`. Build metadata does not count.
 * @throws TypeError for text that is no version: check with `isVersion` at the border
 */
export function compareVersions(a: string, b: string): number {
  return compare(a, b)
}
