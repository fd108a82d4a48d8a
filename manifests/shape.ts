// A shape checks untyped data once, at the border, and gives it back typed. The same shape prints the JSON Schema that
// the project publishes for its configuration files, so the two cannot drift apart.

import { nearestName } from './nearest-name.ts'
import { ShapeMismatch } from './shape-mismatch.ts'

export { ShapeMismatch }

export type JsonSchema = Record<string, unknown>

export interface Shape<T> {
  /** @throws ShapeMismatch */
  readonly check: (value: unknown, path: string) => T
  readonly schema: JsonSchema
  readonly optional?: boolean
}

interface OptionalShape<T> extends Shape<T> {
  readonly optional: true
}

export type ShapeOf<S> = S extends Shape<infer T> ? T : never
export type Fields = Readonly<Record<string, Shape<unknown>>>
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends OptionalShape<unknown> ? K : never }[keyof F]
type ObjectOf<F extends Fields> = { [K in Exclude<keyof F, OptionalKeys<F>>]: ShapeOf<F[K]> } & {
  [K in OptionalKeys<F>]?: ShapeOf<F[K]>
}

export function string(options: { pattern?: RegExp; max?: number; says?: string } = {}): Shape<string> {
  const { pattern, max = 2048, says = 'a string' } = options
  return {
    check(value, path) {
      if (typeof value !== 'string') throw new ShapeMismatch(path, says, describe(value))
      if (value.length > max) throw new ShapeMismatch(path, `at most ${max} characters`, `${value.length}`)
      if (pattern !== undefined && !pattern.test(value)) throw new ShapeMismatch(path, says, describe(value))
      return value
    },
    schema: { type: 'string', maxLength: max, ...(pattern === undefined ? {} : { pattern: pattern.source }) },
  }
}

/** A string without line ends. */
export function singleLine(max: number): Shape<string> {
  return string({ max, pattern: /^[^\r\n]*$/, says: 'one line of text' })
}

export function integer(options: { min?: number; max?: number } = {}): Shape<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options
  return {
    check(value, path) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
        const limit = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
        throw new ShapeMismatch(path, `an integer ${limit}`, describe(value))
      }
      return value
    },
    schema: { type: 'integer', minimum: min, maximum: max },
  }
}

export function boolean(): Shape<boolean> {
  return {
    check(value, path) {
      if (typeof value !== 'boolean') throw new ShapeMismatch(path, 'true or false', describe(value))
      return value
    },
    schema: { type: 'boolean' },
  }
}

/** One of the given strings, and nothing else. */
export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return {
    check(value, path) {
      const found = choices.find((choice) => choice === value)
      if (found !== undefined) return found
      const near = typeof value === 'string' ? nearestName(value, choices) : undefined
      throw new ShapeMismatch(path, choices.map((choice) => JSON.stringify(choice)).join(' or '), describe(value), near)
    },
    schema: { enum: [...choices] },
  }
}

/** A string that `parse` understands; it gives the parsed value, or undefined for bad text. */
export function parsed<T>(parse: (text: string) => T | undefined, says: string, max = 128): Shape<T> {
  const text = string({ max, says })
  return {
    check(value, path) {
      const result = parse(text.check(value, path))
      if (result === undefined) throw new ShapeMismatch(path, says, describe(value))
      return result
    },
    schema: { ...text.schema, description: says },
  }
}

export function array<T>(item: Shape<T>, options: { min?: number; max?: number } = {}): Shape<T[]> {
  const { min = 0, max = 1000 } = options
  return {
    check(value, path) {
      if (!Array.isArray(value)) throw new ShapeMismatch(path, 'an array', describe(value))
      if (value.length < min || value.length > max) {
        throw new ShapeMismatch(path, `${min} to ${max} elements`, `${value.length}`)
      }
      return value.map((element, index) => item.check(element, `${path}[${index}]`))
    },
    schema: { type: 'array', items: item.schema, minItems: min, maxItems: max },
  }
}

/** An object used as a map: every name matches `name`, every value `item`. */
export function record<T>(
  name: RegExp,
  item: Shape<T>,
  options: { min?: number; max?: number } = {},
): Shape<Record<string, T>> {
  const { min = 0, max = 1000 } = options
  return {
    check(value, path) {
      const entries = Object.entries(asObject(value, path))
      if (entries.length < min || entries.length > max) {
        throw new ShapeMismatch(path, `${min} to ${max} members`, `${entries.length}`)
      }
      for (const [key] of entries) {
        if (!name.test(key))
          throw new ShapeMismatch(join(path, key), `a name of the form ${name.source}`, describe(key))
      }
      return Object.fromEntries(entries.map(([key, element]) => [key, item.check(element, join(path, key))]))
    },
    schema: {
      type: 'object',
      propertyNames: { pattern: name.source },
      additionalProperties: item.schema,
      minProperties: min,
      maxProperties: max,
    },
  }
}

/**
 * An object with these members. Unknown ones are errors that name the nearest known one, or, with `open`, are left out
 * of the result: signed documents grow that way.
 */
export function object<F extends Fields>(fields: F, options: { open?: boolean } = {}): Shape<ObjectOf<F>> {
  const names = Object.keys(fields)
  return {
    check(value, path) {
      const source = asObject(value, path)
      for (const key of Object.keys(source)) {
        if (options.open === true || names.includes(key)) continue
        const near = nearestName(key, names)
        throw new ShapeMismatch(
          join(path, key),
          near === undefined ? 'no such member' : `"${near}"`,
          'an unknown name',
          near,
        )
      }
      const result: Record<string, unknown> = {}
      for (const name of names) {
        const shape = fields[name] as Shape<unknown>
        if (Object.hasOwn(source, name)) result[name] = shape.check(source[name], join(path, name))
        else if (shape.optional !== true) throw new ShapeMismatch(join(path, name), 'a value', 'nothing')
      }
      return result as ObjectOf<F>
    },
    schema: {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, fields[name]?.schema])),
      required: names.filter((name) => fields[name]?.optional !== true),
      additionalProperties: options.open === true,
    },
  }
}

/** One of several object shapes, told apart by the string member `tag`. */
export function tagged<V extends Readonly<Record<string, Shape<unknown>>>>(
  tag: string,
  variants: V,
): Shape<ShapeOf<V[keyof V]>> {
  const choice = oneOf(...Object.keys(variants))
  return {
    check(value, path) {
      const name = choice.check(asObject(value, path)[tag], join(path, tag))
      return (variants[name] as Shape<unknown>).check(value, path) as ShapeOf<V[keyof V]>
    },
    schema: { oneOf: Object.values(variants).map((variant) => variant.schema) },
  }
}

/** A shape with a rule that looks at the whole value. */
export function refined<T>(shape: Shape<T>, holds: (value: T) => boolean, says: string): Shape<T> {
  return {
    check(value, path) {
      const checked = shape.check(value, path)
      if (!holds(checked)) throw new ShapeMismatch(path, says, describe(value))
      return checked
    },
    schema: { ...shape.schema, description: says },
  }
}

export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { ...shape, optional: true }
}

/** The same shape with a description for people, which editors show from the published schema. */
export function described<S extends Shape<unknown>>(description: string, shape: S): S {
  return { ...shape, schema: { ...shape.schema, description } }
}

/** Any value, kept as it is: for parts that a later step checks. */
export function anything(): Shape<unknown> {
  return { check: (value) => value, schema: {} }
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ShapeMismatch(path, 'an object', describe(value))
  }
  return value as Record<string, unknown>
}

function join(path: string, name: string): string {
  const shown = printable(name)
  return path === '' ? shown : `${path}.${shown}`
}

/** Untrusted data for an error message: short, and with nothing a terminal would obey. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return printable(JSON.stringify(value) ?? `a ${typeof value}`)
}

function printable(text: string): string {
  const shown = text.slice(0, 61).replace(/[^\x20-\x7e]/g, '?')
  return shown.length > 60 ? `${shown.slice(0, 60)}...` : shown
}
