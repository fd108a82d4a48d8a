/** What is wrong and where; its message reads `path: expected X, got Y`. */
export class ShapeMismatch extends Error {
  readonly path: string
  readonly expected: string
  readonly got: string
  /** The known name nearest to an unknown one. */
  readonly nearest: string | undefined

  constructor(path: string, expected: string, got: string, nearest?: string) {
    super(`${path === '' ? 'the document' : path}: expected ${expected}, got ${got}`)
    this.name = 'ShapeMismatch'
    this.path = path
    this.expected = expected
    this.got = got
    this.nearest = nearest
  }

  /** The fields for an error's details. */
  get details(): Record<string, unknown> {
    const { path, expected, got, nearest } = this
    return { path, expected, got, ...(nearest === undefined ? {} : { nearest }) }
  }
}
