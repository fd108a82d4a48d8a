// Flags as a person writes them: `parser=new 50%, old 50%`.

import { FLAG_NAME, type FlagDefinition, flagsShape, type FlagValue, shape } from '../../manifests/index.ts'
import { quote, splitUnquoted, unquote } from './quoted-text.ts'

const EXPECTED = 'a flag such as parser=new 50%'
const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/

export type Definitions = Readonly<Record<string, FlagDefinition>>

/** @param path what the text is called in an error. @throws ShapeMismatch */
export function parseFlags(texts: readonly string[], path: string): Record<string, FlagDefinition> {
  const flags: Record<string, FlagDefinition> = {}
  for (const text of texts) {
    const [name, definition] = parseFlag(text, path)
    if (Object.hasOwn(flags, name)) throw new shape.ShapeMismatch(path, 'each flag once', name)
    flags[name] = definition
  }
  return flagsShape.check(flags, path)
}

/** One `flags` member in text, a part for each flag; the inverse of `parseFlags`, but for salts. */
export function printFlags(flags: Definitions): string[] {
  return Object.entries(flags).map(([name, { shares }]) => {
    const [only, ...more] = shares
    if (only?.percent === 100 && more.length === 0) return `${name}=${printValue(only.value)}`
    return `${name}=${shares.map(({ value, percent }) => `${printValue(value)} ${percent}%`).join(', ')}`
  })
}

function parseFlag(text: string, path: string): [name: string, definition: FlagDefinition] {
  const equals = text.indexOf('=')
  const name = text.slice(0, Math.max(equals, 0)).trim()
  if (!FLAG_NAME.test(name)) throw new shape.ShapeMismatch(path, EXPECTED, JSON.stringify(text))
  const parts = splitUnquoted(text.slice(equals + 1), ',')
  const shares = parts.map((part) => {
    const [, value = '', percent] = /^(.*?)(?:\s+(\d{1,3})%)?$/s.exec(part) ?? []
    if (value === '' || (percent === undefined && (parts.length > 1 || /\s/.test(unquotedPart(value)))))
      throw new shape.ShapeMismatch(
        path,
        `${EXPECTED}, with a percent for each of several values`,
        JSON.stringify(part),
      )
    return { value: parseValue(value, path), percent: Number(percent ?? 100) }
  })
  return [name, { shares }]
}

/** Spaces inside quotes are part of a value. */
function unquotedPart(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"/gs, '')
}

function parseValue(text: string, path: string): FlagValue {
  if (text === 'true' || text === 'false') return text === 'true'
  if (INTEGER.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  return unquote(text, path)
}

function printValue(value: FlagValue): string {
  if (typeof value !== 'string') return String(value)
  const isPlain = !(value === 'true' || value === 'false' || INTEGER.test(value))
  return isPlain ? quote(value) : JSON.stringify(value)
}
