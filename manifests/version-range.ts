// Which versions a rule or a pin means: comparators with full versions, all of which must hold.

import { type Shape, parsed } from './shape.ts'
import { compareVersions, isVersion, VERSION_MAX_CHARS } from './versions.ts'

const COMPARATORS_MAX = 4
const HOLDS: Readonly<Record<string, (order: number) => boolean>> = {
  '': (order) => order === 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

interface Comparator {
  readonly holds: (order: number) => boolean
  readonly version: string
}

/** A version, or up to four comparators such as `>=1.2.0 <2.0.0`. */
export const versionRangeShape: Shape<string> = parsed(
  (text) => (readComparators(text) === undefined ? undefined : text),
  'versions such as 1.4.2 or >=1.2.0 <2.0.0',
  COMPARATORS_MAX * (VERSION_MAX_CHARS + 3),
)

/**
 * Whether a version is among those that the text means. Versions are ordered as everywhere else: pre-releases have no
 * rule of their own, and build metadata does not count.
 * @param range checked by `versionRangeShape`; text that is none means no version
 */
export function isInRange(version: string, range: string): boolean {
  const comparators = readComparators(range)
  return comparators?.every((comparator) => comparator.holds(compareVersions(version, comparator.version))) === true
}

function readComparators(text: string): Comparator[] | undefined {
  const parts = text.split(' ')
  if (parts.length > COMPARATORS_MAX) return undefined
  const comparators: Comparator[] = []
  for (const part of parts) {
    const [, sign = '', version = ''] = /^([<>]=?)?(.*)$/.exec(part) ?? []
    const holds = HOLDS[sign]
    if (holds === undefined || !isVersion(version)) return undefined
    comparators.push({ holds, version })
  }
  return comparators
}
