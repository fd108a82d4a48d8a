import type { Random } from './random.ts'

const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[{}[\],:]|[a-zA-Z]+|[ \t\r\n]+|./gs
const INTERESTING = [
  ...['0', '-0', '1', '-1', '1.0', '1e0', '01', '9007199254740991', '9007199254740992', '42', '43', '1e400', '0x1'],
  ...[
    'true',
    'false',
    'null',
    'NaN',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '{}',
    '[]',
    '""',
    '[[',
    '/**/',
    '\u00a0',
    '\ufeff',
  ],
  ...[
    '"moult/1"',
    '"moult-root/1"',
    '"stable"',
    '"1.4.2"',
    '"signatures"',
    '"rollout"',
    '"trust"',
    '"__proto__"',
    '"version"',
  ],
  ...['"\\ud800"', '"\\u0000"', '"\u007f"', '"2026-02-30T00:00:00Z"', '"2099-01-01T00:00:00Z"', `"${'a'.repeat(300)}"`],
] as const
const SPACES = [' ', '\n', '\r\n', '\t', '  \n'] as const

export function tokensOf(text: string): string[] {
  return text.match(TOKEN) ?? []
}

/** One change of tokens; `other` is material to take tokens from. Some only write the same in another way. */
export function mutateTokens(random: Random, text: string, other: string): string {
  const tokens = tokensOf(text)
  const at = random.below(tokens.length)
  const token = tokens[at] ?? ''
  const elsewhere = random.below(tokens.length)
  switch (random.below(9)) {
    case 0:
      return tokens.toSpliced(at, 1).join('')
    case 1:
      return tokens.toSpliced(at, 0, token).join('')
    case 2:
      return tokens
        .with(at, tokens[elsewhere] ?? '')
        .with(elsewhere, token)
        .join('')
    case 3:
      return tokens.with(at, random.pick(INTERESTING)).join('')
    case 4:
      return tokens.toSpliced(at, 0, random.pick(INTERESTING)).join('')
    case 5:
      return tokens.with(at, random.pick(tokensOf(other))).join('')
    case 6:
      return tokens.toSpliced(at, 0, random.pick(SPACES)).join('')
    case 7:
      return tokens.with(at, escapeOne(random, token)).join('')
    default: {
      const length = 2 + random.below(20)
      const moved = tokens.slice(at, at + length)
      return tokens
        .toSpliced(at, random.once(2) ? length : 0)
        .toSpliced(elsewhere, 0, ...moved)
        .join('')
    }
  }
}

/** A string with one of its characters as an escape; other tokens as they are. */
function escapeOne(random: Random, token: string): string {
  const at = 1 + random.below(Math.max(1, token.length - 2))
  const char = token[at] ?? ''
  if (!token.startsWith('"') || token.length < 3 || token.includes('\\')) return token
  return `${token.slice(0, at)}\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}${token.slice(at + 1)}`
}
