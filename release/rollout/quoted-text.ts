// Text in which a value can stand in double quotes, as in JSON, where it holds what has a meaning of its own.

import { shape } from '../../manifests/index.ts'

const PLAIN = /^[\p{L}\p{M}\p{N}._:@/+-]+$/u

/** The parts between separators that are not inside quotes; without the spaces around them. */
export function splitUnquoted(text: string, separator: string): string[] {
  const parts: string[] = []
  let part = ''
  let isQuoted = false
  for (let index = 0; index < text.length; index += 1) {
    const at = text[index] ?? ''
    if (at === '"') isQuoted = !isQuoted
    if (isQuoted && at === '\\') {
      part += at + (text[index + 1] ?? '')
      index += 1
    } else if (!isQuoted && text.startsWith(separator, index)) {
      parts.push(part)
      part = ''
      index += separator.length - 1
    } else part += at
  }
  return [...parts, part].map((one) => one.trim())
}

/** A value that a person wrote plainly or in quotes. @throws ShapeMismatch */
export function unquote(text: string, path: string): string {
  if (!text.includes('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string') return value
  } catch {
    // Said below.
  }
  throw new shape.ShapeMismatch(path, 'a value, or one in double quotes as in JSON', text)
}

/** The inverse of `unquote`, plain where that cannot be mistaken. */
export function quote(value: string): string {
  return PLAIN.test(value) ? value : JSON.stringify(value)
}
