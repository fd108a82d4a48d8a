import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { readVector } from './helpers/read-vector.ts'

const SOURCES = fileURLToPath(new URL('second-verifier/', import.meta.url))
const VECTORS = fileURLToPath(new URL('vectors/', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'moult-second-verifier-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Standard library only, nothing fetched, and no trace outside of the scratch folder. */
const goEnv = {
  ...process.env,
  GOCACHE: join(scratch, 'cache'),
  GOPATH: join(scratch, 'path'),
  GOFLAGS: '-mod=mod',
  GOPROXY: 'off',
  GOTOOLCHAIN: 'local',
  CGO_ENABLED: '0',
}
const hasGo = spawnSync('go', ['version']).status === 0
const skip = hasGo ? false : 'go is not installed: the vectors were NOT compared with the second verifier'

function go(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('go', args, { cwd: SOURCES, env: goEnv, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

describe('the second verifier', { skip }, () => {
  test('agrees with every vector on the verdict and on what the agent has afterwards', () => {
    const program = join(scratch, 'second-verifier')
    go('build', '-o', program, '.')
    const paths = readdirSync(VECTORS).map((name) => join(VECTORS, name))
    const { status, stdout, stderr } = spawnSync(program, paths, { encoding: 'utf8', maxBuffer: 1 << 24 })
    assert.equal(status, 0, stderr)
    const expected = paths.map((path) => {
      const { expect, after: kept } = readVector(readFileSync(path, 'utf8'))
      const name = path.slice(VECTORS.length, -'.json'.length)
      if (kept === undefined) return `${name} ${expect} -`
      return `${name} ${expect} root=${kept.root} sequence=${kept.sequence} digest=${kept.digest || 'none'}`
    })
    assert.deepEqual(stdout.trimEnd().split('\n'), expected)
  })

  test('is formatted, and has no dependencies', () => {
    assert.equal(spawnSync('gofmt', ['-l', SOURCES], { encoding: 'utf8' }).stdout, '')
    assert.equal(go('list', '-m', 'all').trim(), 'moult.example/second-verifier')
  })
})
