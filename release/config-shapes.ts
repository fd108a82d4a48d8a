// Shapes that more than one part of the configuration is made of.

import { shape } from '../manifests/index.ts'

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
