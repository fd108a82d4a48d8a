// Shapes that more than one part of the configuration is made of.

import { shape } from '../manifests/index.ts'

export const httpUrlShape = shape.string({ pattern: /^https?:\/\/[!-[\]-~]+$/, says: 'an http or https URL' })
export const pathShape = shape.string({ pattern: /^[^\0]+$/, max: 1024, says: 'a path' })

/** A string of one shape, or anything else of another. */
export function either<A, B>(text: shape.Shape<A>, other: shape.Shape<B>): shape.Shape<A | B> {
  return {
    check: (value, at) => (typeof value === 'string' ? text.check(value, at) : other.check(value, at)),
    schema: { oneOf: [text.schema, other.schema] },
  }
}

/** An array, or one element that stands for an array of one. */
export function oneOrMore<T>(item: shape.Shape<T>, max: number): shape.Shape<T[]> {
  const several = shape.array(item, { min: 1, max })
  return {
    check: (value, at) => (Array.isArray(value) ? several.check(value, at) : [item.check(value, at)]),
    schema: { oneOf: [item.schema, several.schema] },
  }
}

/** One of several closed object shapes, told apart by a member that only one of them has and requires. */
export function byMember<V extends Readonly<Record<string, shape.Shape<unknown>>>>(
  variants: V,
): shape.Shape<shape.ShapeOf<V[keyof V]>> {
  const names = Object.keys(variants)
  return {
    check(value, at) {
      const own = typeof value === 'object' && value !== null ? value : {}
      const found = names.find((name) => Object.hasOwn(own, name))
      if (found === undefined) {
        const expected = `an object with the member ${names.map((name) => JSON.stringify(name)).join(' or ')}`
        throw new shape.ShapeMismatch(at, expected, Object.keys(own).length === 0 ? 'none of them' : 'others')
      }
      return (variants[found] as shape.Shape<unknown>).check(value, at) as shape.ShapeOf<V[keyof V]>
    },
    schema: { oneOf: names.map((name) => variants[name]?.schema) },
  }
}
