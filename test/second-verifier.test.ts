import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { NOW } from './fixtures/signed-manifest.ts'
import { makeMutant, type Mutant } from './fuzz/fuzz-manifests.ts'
import { testSeed } from './fuzz/random.ts'
import { go, hasGo } from './helpers/go-program.ts'
import { type Outcome, readVector, runVector } from './helpers/read-vector.ts'

const SOURCES = fileURLToPath(new URL('second-verifier/', import.meta.url))
const VECTORS = fileURLToPath(new URL('vectors/', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'moult-second-verifier-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const program = join(scratch, 'second-verifier')
const MUTANTS = 300
const skip = hasGo ? false : 'go is not installed: the vectors were NOT compared with the second verifier'

function verdictsOf(paths: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(program, paths, { encoding: 'utf8', maxBuffer: 1 << 24 })
  assert.equal(status, 0, stderr)
  return stdout.trimEnd().split('\n')
}

/** What the second verifier prints for an outcome. */
function lineOf(name: string, { verdict, after: kept }: Outcome): string {
  if (kept === undefined) return `${name} ${verdict} -`
  return `${name} ${verdict} root=${kept.root} sequence=${kept.sequence} digest=${kept.digest || 'none'}`
}

function mutantVector({ sample, bytes }: Mutant): string {
  const { root, channel, floor } = sample.trust
  return JSON.stringify({
    comment: sample.name,
    expect: 'ok',
    now: NOW,
    trust: { root: root.document, channel },
    state: floor,
    manifest: { base64: Buffer.from(bytes).toString('base64') },
  })
}

describe('the second verifier', { skip }, () => {
  before(() => {
    go(SOURCES, scratch, ['build', '-o', program, '.'])
  })

  test('agrees with every vector on the verdict and on what the agent has afterwards', () => {
    const names = readdirSync(VECTORS).filter((name) => name.endsWith('.json'))
    const paths = names.map((name) => join(VECTORS, name))
    const expected = paths.map((path) => {
      const { expect, after: kept } = readVector(readFileSync(path, 'utf8'))
      return lineOf(basename(path, '.json'), { verdict: expect, ...(kept === undefined ? {} : { after: kept }) })
    })
    assert.deepEqual(verdictsOf(paths), expected)
  })

  test('agrees with the first on mutants of signed manifests', (t) => {
    const seed = testSeed()
    t.diagnostic(`seed ${seed} (set MOULT_TEST_SEED to repeat)`)
    const mutants = Array.from({ length: MUTANTS }, (_, index) => {
      const text = mutantVector(makeMutant(seed, index))
      const path = join(scratch, `${index}.json`)
      writeFileSync(path, text)
      return { path, line: lineOf(String(index), runVector(readVector(text))) }
    })
    assert.deepEqual(
      verdictsOf(mutants.map(({ path }) => path)),
      mutants.map(({ line }) => line),
    )
  })

  test('draws the same buckets and places, and gives the same flags', () => {
    const read = (name: string): string => readFileSync(join(VECTORS, 'rollouts', name), 'utf8')
    const buckets = JSON.parse(read('buckets.json')) as { bucket: number; place: number }[]
    assert.ok(buckets.length > 30)
    assert.deepEqual(
      verdictsOf(['-buckets', join(VECTORS, 'rollouts', 'buckets.json')]),
      buckets.map(({ bucket, place }) => `${bucket} ${place}`),
    )
    const { agents } = JSON.parse(read('flags.json')) as { agents: { values: Record<string, unknown> }[] }
    assert.deepEqual(
      verdictsOf(['-flags', join(VECTORS, 'rollouts', 'flags.json')]).map((line) => JSON.parse(line) as unknown),
      agents.map(({ values }) => values),
    )
  })

  test('is formatted, and has no dependencies', () => {
    assert.equal(spawnSync('gofmt', ['-l', SOURCES], { encoding: 'utf8' }).stdout, '')
    assert.equal(go(SOURCES, scratch, ['list', '-m', 'all']).trim(), 'moult.example/second-verifier')
  })
})
