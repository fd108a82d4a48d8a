// What a cache and a browser may do with each file of the published layout (SPEC 2).

const IMMUTABLE = 'public, max-age=31536000, immutable'
/** Keep it, but ask each time; the ETag makes the answer a 304. */
const REVALIDATE = 'no-cache'

const IMMUTABLE_FOLDERS: ReadonlySet<string> = new Set(['bin', 'history', 'releases', 'trust'])
const MUTABLE_NAMES: ReadonlySet<string> = new Set(['version.json', 'feed.atom'])

export function cacheControlOf(segments: readonly string[]): string {
  const [folder = ''] = segments
  if (segments.length < 2 || MUTABLE_NAMES.has(segments.at(-1) ?? '')) return REVALIDATE
  return IMMUTABLE_FOLDERS.has(folder) ? IMMUTABLE : REVALIDATE
}

/** `undefined`: as the extension says. */
export function contentTypeOf(segments: readonly string[]): string | undefined {
  // An artifact is bytes, whatever its name ends in: `agent-1.2.html` is not for a browser to show.
  if (segments[0] === 'bin') return 'application/octet-stream'
  if (segments.at(-1)?.endsWith('.json') === true) return 'application/json'
  return undefined
}
