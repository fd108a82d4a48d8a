// Documents of the strict profile, sources for them with any order, spacing and escapes, and near misses of them.

import type { JsonObject, JsonValue } from '../../manifests/index.ts'
import { Random } from './random.ts'

const RANGES = [
  [0x20, 0x7e],
  [0x20, 0x7e],
  [0xa0, 0x24ff],
  [0xd000, 0xd7ff],
  [0xe000, 0xffff],
  [0x10000, 0x10ffff],
] as const
const SPACES = [' ', '\n', '\t', '\r\n', '', '', '', ''] as const

export class RandomDocuments extends Random {
  object(depth: number): JsonObject {
    const object: JsonObject = {}
    for (let count = this.below(6); count > 0; count -= 1) {
      const key = Array.from({ length: 1 + this.below(5) }, () => String.fromCharCode(0x20 + this.below(0x5f))).join('')
      if (!(key in object)) object[key] = this.value(depth - 1)
    }
    return object
  }

  value(depth: number): JsonValue {
    const kind = this.below(depth > 0 ? 7 : 5)
    if (kind === 0) return this.below(2) === 0
    if (kind === 1) return null
    if (kind === 2) return this.below(1000) - 500
    if (kind === 3) return (this.below(2) * 2 - 1) * (this.below(2 ** 21) * 2 ** 32 + this.below(2 ** 32) || 1)
    if (kind === 4) return this.string()
    if (kind === 5) return this.object(depth)
    return Array.from({ length: this.below(5) }, () => this.value(depth - 1))
  }

  string(): string {
    return Array.from({ length: this.below(12) }, () => {
      const [from, to] = this.pick(RANGES)
      return this.once(9)
        ? this.pick(['\t', '\n', '\r', '"', '\\', '/'])
        : String.fromCodePoint(from + this.below(to - from + 1))
    }).join('')
  }

  /** A text that reads as this value. */
  write(value: JsonValue): string {
    const space = (): string => this.pick(SPACES)
    if (typeof value === 'string') {
      const parts = Array.from(value, (char) => (this.once(6) ? escaped(char) : JSON.stringify(char).slice(1, -1)))
      return `"${parts.join('')}"`
    }
    if (Array.isArray(value)) {
      return `[${space()}${value.map((item) => this.write(item)).join(`,${space()}`)}${space()}]`
    }
    if (typeof value !== 'object' || value === null) return JSON.stringify(value)
    const entries = Object.entries(value).toSorted(() => this.below(3) - 1)
    const members = entries.map(([key, item]) => `${this.write(key)}${space()}:${space()}${this.write(item)}`)
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`
  }

  /** A value that differs in one place, often in a way that a careless encoding would hide; rarely the same value. */
  nearMiss(value: JsonValue): JsonValue {
    if (Array.isArray(value) && value.length > 0 && !this.once(3)) return this.#nearArray(value)
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !this.once(3)) {
      return this.#nearObject(value)
    }
    return this.pick<JsonValue>([
      JSON.stringify(value),
      [value],
      { '': value },
      null,
      `${JSON.stringify(value)} `,
      0,
      [],
      {},
      '',
    ])
  }

  #nearArray(array: readonly JsonValue[]): JsonValue {
    const at = this.below(array.length)
    const item = array[at] ?? null
    const rest = array.toSpliced(at, 1)
    return this.pick<JsonValue>([
      array.with(at, this.nearMiss(item)),
      rest,
      [...rest, item],
      array.toSpliced(at, 0, item),
      [array.slice(0, at), ...array.slice(at)],
      array.flat(),
      Object.fromEntries(array.map((element, index) => [String(index), element])),
    ])
  }

  #nearObject(object: JsonObject): JsonValue {
    const entries = Object.entries(object)
    const [key, value] = entries[this.below(entries.length)] ?? ['a', null]
    const rest = Object.fromEntries(entries.filter(([name]) => name !== key))
    return this.pick<JsonValue>([
      { ...rest, [key]: this.nearMiss(value) },
      { ...rest, [`${key} `]: value },
      { ...rest, [key.toUpperCase()]: value },
      { ...rest, [key]: { [key]: value } },
      rest,
      entries.flat(),
      { ...rest, [key]: value },
    ])
  }
}

function escaped(char: string): string {
  const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}
