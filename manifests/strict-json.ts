// The strict profile of JSON that every signed document uses (SPEC.md, "Bytes"). It is narrower than RFC 8259 so that
// no two parsers, in any language, can read different things out of the same signed bytes.

import { MoultError } from './errors.ts'
import { JSON_MAX_DEPTH } from './limits.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export interface JsonObject {
  [key: string]: JsonValue
}

/**
 * Parses UTF-8 bytes: no replacement characters, no byte order mark, no duplicate or inherited key, keys of printable
 * ASCII, safe integers only, no lone surrogate, no control character (C0, DEL, C1) but tab, LF and CR, at most 32 objects and
 * arrays inside each other.
 *
 * @throws MoultError ERR_MANIFEST_SYNTAX, with the offset in UTF-16 units
 */
export function parseStrictJson(bytes: Uint8Array): JsonValue {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new MoultError('ERR_MANIFEST_SYNTAX', 'not valid UTF-8', { cause })
  }
  return new StrictParser(text).parse()
}

const INTEGER = /-?(?:0|[1-9][0-9]*)/y
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class StrictParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): JsonValue {
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) this.#fail('trailing characters')
    return value
  }

  #value(depth: number): JsonValue {
    this.#skipSpace()
    const first = this.#text[this.#at]
    if (depth === JSON_MAX_DEPTH && (first === '{' || first === '[')) this.#fail(`deeper than ${JSON_MAX_DEPTH} levels`)
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    }
    return this.#integer()
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = {}
    this.#at += 1
    if (this.#take('}')) return object
    do {
      this.#skipSpace()
      const start = this.#at
      const key = this.#string()
      if (!/^[\x20-\x7e]+$/.test(key)) this.#fail('a key that is not printable ASCII', start)
      // `in` finds both a repeated key and one that every object inherits, such as __proto__ or constructor.
      if (key in object) this.#fail(`a repeated or reserved key ${JSON.stringify(key)}`, start)
      this.#expect(':')
      object[key] = this.#value(depth + 1)
    } while (this.#take(','))
    this.#expect('}')
    return object
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = []
    this.#at += 1
    if (this.#take(']')) return array
    do {
      array.push(this.#value(depth + 1))
    } while (this.#take(','))
    this.#expect(']')
    return array
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') this.#fail('a string was expected')
    const start = this.#at
    let value = ''
    let from = ++this.#at
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined) this.#fail('an unfinished string', start)
      if (char === '"') break
      if (char < ' ') this.#fail('a raw control character in a string')
      if (char === '\\') {
        value += this.#text.slice(from, this.#at) + this.#escape()
        from = this.#at
      } else {
        this.#at += 1
      }
    }
    value += this.#text.slice(from, this.#at)
    this.#at += 1
    if (/[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/.test(value)) this.#fail('a control character in a string', start)
    if (/\p{Surrogate}/u.test(value)) this.#fail('a lone surrogate in a string', start)
    return value
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? ''
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.#fail('a broken \\u escape')
      this.#at += 6
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const value = ESCAPES[letter]
    if (value === undefined) this.#fail('an unknown escape')
    this.#at += 2
    return value
  }

  #integer(): number {
    INTEGER.lastIndex = this.#at
    const digits = INTEGER.exec(this.#text)?.[0]
    if (digits === undefined) this.#fail('a value was expected')
    const value = Number(digits)
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.#fail('a number that is not a safe integer')
    this.#at += digits.length
    if (/[.eE0-9]/.test(this.#text[this.#at] ?? '')) this.#fail('a number that is not a plain integer')
    return value
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at += 1
  }

  #take(char: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== char) return false
    this.#at += 1
    return true
  }

  #expect(char: string): void {
    if (!this.#take(char)) this.#fail(`'${char}' was expected`)
  }

  #fail(reason: string, offset = this.#at): never {
    throw new MoultError('ERR_MANIFEST_SYNTAX', `not strict JSON: ${reason} at offset ${offset}`, {
      details: { offset },
    })
  }
}
