import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { shape } from '../../manifests/index.ts'
import { nearestName } from '../../manifests/nearest-name.ts'

const {
  anything,
  array,
  boolean,
  described,
  integer,
  object,
  oneOf,
  optional,
  parsed,
  record,
  ShapeMismatch,
  string,
  tagged,
} = shape

function mismatch(of: shape.Shape<unknown>, value: unknown, message: string): void {
  assert.throws(
    () => of.check(value, 'at'),
    (error) => error instanceof ShapeMismatch && error.message === message && error.path.startsWith('at'),
    `${JSON.stringify(value)}: ${message}`,
  )
}

describe('shapes of single values', () => {
  test('integer takes safe integers in its range', () => {
    const percent = integer({ max: 100 })
    for (const good of [0, 1, 99, 100]) assert.equal(percent.check(good, 'at'), good)
    mismatch(percent, 101, 'at: expected an integer from 0 to 100, got 101')
    mismatch(percent, -1, 'at: expected an integer from 0 to 100, got -1')
    mismatch(percent, '10', 'at: expected an integer from 0 to 100, got "10"')
    mismatch(integer({ min: 1 }), 0, 'at: expected an integer of at least 1, got 0')
    for (const bad of [1.5, NaN, Infinity, 2 ** 53, null, undefined, [], {}, true])
      assert.throws(() => percent.check(bad, 'at'), ShapeMismatch)
  })

  test('string counts and matches', () => {
    const word = string({ pattern: /^[a-z]+$/, max: 5, says: 'a word' })
    assert.equal(word.check('abc', 'at'), 'abc')
    mismatch(word, 'abcdef', 'at: expected at most 5 characters, got 6')
    mismatch(word, 'AB', 'at: expected a word, got "AB"')
    mismatch(word, 7, 'at: expected a word, got 7')
    assert.throws(() => string().check('x'.repeat(2049), 'at'), ShapeMismatch)
  })

  test('boolean, oneOf and parsed say what they want', () => {
    assert.equal(boolean().check(false, 'at'), false)
    mismatch(boolean(), 'true', 'at: expected true or false, got "true"')
    mismatch(boolean(), 0, 'at: expected true or false, got 0')
    assert.equal(oneOf('exit', 'exec').check('exec', 'at'), 'exec')
    mismatch(oneOf('exit', 'exec'), 'exti', 'at: expected "exit" or "exec", got "exti"')
    const even = parsed((text) => (text.length % 2 === 0 ? text.length : undefined), 'an even text')
    assert.equal(even.check('abcd', 'at'), 4)
    mismatch(even, 'abc', 'at: expected an even text, got "abc"')
    mismatch(even, 2, 'at: expected an even text, got 2')
  })

  test('anything keeps the value', () => {
    const value = { a: [1] }
    assert.equal(anything().check(value, 'at'), value)
  })
})

describe('shapes of arrays and objects', () => {
  const person = object({ name: string(), age: optional(integer()) })

  test('give back a copy that holds only what was checked', () => {
    const source = { name: 'a', age: 3 }
    const result = person.check(source, '')
    assert.deepEqual(result, source)
    assert.notEqual(result, source)
    assert.deepEqual(person.check({ name: 'a' }, ''), { name: 'a' })
  })

  test('name the path of a fault', () => {
    const people = object({ people: array(person, { min: 1, max: 2 }), byId: optional(record(/^[a-z]$/, person)) })
    const message = (value: unknown): string => {
      try {
        people.check(value, '')
      } catch (error) {
        return (error as Error).message
      }
      return 'accepted'
    }
    assert.equal(message({ people: [{ name: 'a' }] }), 'accepted')
    assert.equal(message({ people: [{ name: 'a' }, { name: 1 }] }), 'people[1].name: expected a string, got 1')
    assert.equal(message({ people: [{}] }), 'people[0].name: expected a value, got nothing')
    assert.equal(message({ people: [] }), 'people: expected 1 to 2 elements, got 0')
    assert.equal(message({ people: {} }), 'people: expected an array, got an object')
    assert.equal(message({ people: [[]] }), 'people[0]: expected an object, got an array')
    assert.equal(
      message({ people: [{ name: 'a' }], byId: { b: { name: 'a', age: -1 } } }),
      'byId.b.age: expected an integer of at least 0, got -1',
    )
    assert.equal(
      message({ people: [{ name: 'a' }], byId: { BB: 1 } }),
      'byId.BB: expected a name of the form ^[a-z]$, got "BB"',
    )
    assert.equal(message(null), 'the document: expected an object, got null')
    assert.equal(message(undefined), 'the document: expected an object, got nothing')
  })

  test('refuse an unknown name with the nearest known one', () => {
    assert.throws(() => person.check({ nmae: 'a' }, 'who'), {
      message: 'who.nmae: expected "name", got an unknown name',
      details: { path: 'who.nmae', expected: '"name"', got: 'an unknown name', nearest: 'name' },
    })
    assert.throws(() => person.check({ name: 'a', zzzzzzzz: 1 }, ''), {
      message: 'zzzzzzzz: expected no such member, got an unknown name',
      nearest: undefined,
    })
  })

  test('leave unknown names out when open', () => {
    assert.deepEqual(object({ a: integer() }, { open: true }).check({ a: 1, b: 2 }, ''), { a: 1 })
  })

  test('look at own members only, and never touch a prototype', () => {
    const shapeOfHidden = object({ constructor: optional(anything()), toString: optional(anything()) }, { open: true })
    assert.deepEqual(Object.keys(shapeOfHidden.check({}, '')), [])
    assert.throws(() => person.check(Object.create({ name: 'inherited' }), ''), ShapeMismatch)
    const hostile: unknown = JSON.parse('{"__proto__":{"name":"x"}}')
    assert.throws(() => person.check(hostile, ''), ShapeMismatch)
    const copied = record(/./, anything()).check(hostile, '')
    assert.equal(Object.getPrototypeOf(copied), Object.prototype)
    assert.equal('name' in {}, false)
  })

  test('limit the members of a record', () => {
    const few = record(/^[a-z]$/, integer(), { min: 1, max: 2 })
    assert.deepEqual(few.check({ a: 1, b: 2 }, 'at'), { a: 1, b: 2 })
    mismatch(few, {}, 'at: expected 1 to 2 members, got 0')
    mismatch(few, { a: 1, b: 2, c: 3 }, 'at: expected 1 to 2 members, got 3')
  })

  test('tell variants apart by a tag', () => {
    const target = tagged('kind', {
      s3: object({ kind: oneOf('s3'), bucket: string() }),
      directory: object({ kind: oneOf('directory'), path: string() }),
    })
    assert.deepEqual(target.check({ kind: 'directory', path: 'x' }, ''), { kind: 'directory', path: 'x' })
    mismatch(target, { kind: 'S3' }, 'at.kind: expected "s3" or "directory", got "S3"')
    mismatch(target, { kind: 's3', path: 'x' }, 'at.path: expected no such member, got an unknown name')
    mismatch(target, {}, 'at.kind: expected "s3" or "directory", got nothing')
    mismatch(target, [], 'at: expected an object, got an array')
  })
})

describe('messages about untrusted data', () => {
  test('are short and hold nothing that a terminal obeys, in values and in names', () => {
    const hostile = '\u001b[2J\u009b31m\u202e\r\n'.repeat(10_000)
    const checks = [
      () => string({ pattern: /^x$/, max: 1e9 }).check(hostile, 'at'),
      () => integer().check(hostile, 'at'),
      () => oneOf('a').check([hostile], 'at'),
      () => object({ a: optional(integer()) }).check({ [hostile]: 1 }, 'at'),
      () => record(/^x$/, integer()).check({ [hostile]: 1 }, 'at'),
    ]
    for (const check of checks) {
      assert.throws(check, (error) => {
        assert.ok(error instanceof ShapeMismatch)
        assert.ok(error.message.length < 300, `${error.message.length}`)
        assert.match(error.message, /^[\x20-\x7e]*$/)
        assert.match(JSON.stringify(error.details), /^[\x20-\x7e]{0,500}$/)
        return true
      })
    }
  })

  test('survive values that JSON cannot hold', () => {
    for (const value of [undefined, () => 1, Symbol('s')])
      assert.throws(() => integer().check(value, 'at'), ShapeMismatch)
  })
})

describe('nearest names', () => {
  test('are what a person most likely meant', () => {
    const names = ['interval', 'restartMethod', 'mode', 'channel']
    assert.equal(nearestName('intervall', names), 'interval')
    assert.equal(nearestName('INTERVAL', names), 'interval')
    assert.equal(nearestName('restart_method', names), 'restartMethod')
    assert.equal(nearestName('chanel', names), 'channel')
    assert.equal(nearestName('colour', names), undefined)
    assert.equal(nearestName('x', []), undefined)
  })
})

describe('the JSON Schema of a shape', () => {
  test('says what the shape checks', () => {
    const schema = object({
      name: described('Who it is.', string({ pattern: /^[a-z]+$/, max: 9 })),
      kind: oneOf('a', 'b'),
      sizes: optional(array(integer({ min: 1, max: 5 }), { max: 3 })),
      flags: optional(record(/^f/, boolean())),
      wait: optional(parsed((text) => text, 'a duration')),
      more: optional(object({ any: anything() }, { open: true })),
    }).schema
    assert.deepEqual(schema, {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 9, pattern: '^[a-z]+$', description: 'Who it is.' },
        kind: { enum: ['a', 'b'] },
        sizes: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 5 }, minItems: 0, maxItems: 3 },
        flags: {
          type: 'object',
          propertyNames: { pattern: '^f' },
          additionalProperties: { type: 'boolean' },
          minProperties: 0,
          maxProperties: 1000,
        },
        wait: { type: 'string', maxLength: 128, description: 'a duration' },
        more: { type: 'object', properties: { any: {} }, required: ['any'], additionalProperties: true },
      },
      required: ['name', 'kind'],
      additionalProperties: false,
    })
    assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema, 'plain data')
  })

  test('of variants is a choice of their schemas', () => {
    const one = object({ kind: oneOf('one') })
    assert.deepEqual(tagged('kind', { one }).schema, { oneOf: [one.schema] })
  })
})
