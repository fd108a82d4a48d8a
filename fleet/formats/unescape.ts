// How each log escapes what clients send, undone. Text in and out is one character for each byte.

const PERCENT = /%([0-9A-Fa-f]{2})/g

/**
 * CloudFront percent-encodes, and has done so twice (a space was `%2520`) or once (`%20`). Twice is what it was when
 * every escape is one of the percent sign: a User-Agent without a single space or other escaped character is rare, and
 * a beacon has no percent sign at all.
 */
export function unescapePercent(raw: string): string {
  if (!raw.includes('%')) return raw
  // All that a beacon has.
  if (!/%(?!2520)/.test(raw)) return raw.replaceAll('%2520', ' ')
  const once = raw.replace(PERCENT, fromHex)
  return /%(?!25[0-9A-Fa-f]{2})/.test(raw) ? once : once.replace(PERCENT, fromHex)
}

const BACKSLASH = /\\(?:x([0-9A-Fa-f]{2})|(["\\bnrtvf]))/g
const CONTROLS: Readonly<Record<string, string>> = {
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  f: '\f',
}

/** nginx writes `\x22` for everything; Apache `\"`, `\\`, `\t` and the like, and `\xc3` for the rest. */
export function unescapeBackslash(raw: string): string {
  if (!raw.includes('\\')) return raw
  return raw.replace(BACKSLASH, (_, hex: string | undefined, character: string | undefined) => {
    return hex === undefined ? (CONTROLS[character ?? ''] ?? character ?? '') : fromHex('', hex)
  })
}

function fromHex(_: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16))
}
