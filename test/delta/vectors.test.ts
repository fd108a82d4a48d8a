import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { applyWhole } from './patching.ts'

const FOLDER = new URL('../vectors/delta/', import.meta.url)
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const read = (name: string): Buffer => readFileSync(new URL(name, FOLDER))

type Vector = { name: string; old: string; new: string }

test('every patch that was published once is still read', () => {
  const vectors = JSON.parse(read('index.json').toString()) as Vector[]
  assert.equal(readdirSync(FOLDER).length, vectors.length * 3 + 1)
  for (const vector of vectors) {
    const old = read(`${vector.name}.old`)
    const fresh = read(`${vector.name}.new`)
    assert.equal(digest(old), vector.old, vector.name)
    assert.equal(digest(fresh), vector.new, vector.name)
    assert.equal(digest(applyWhole(old, read(`${vector.name}.patch`), fresh.length)), vector.new, vector.name)
  }
})
