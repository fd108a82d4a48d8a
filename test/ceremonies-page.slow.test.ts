import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('docs/ceremonies.md is what the commands print', () => {
  const script = fileURLToPath(new URL('../scripts/record-ceremonies.ts', import.meta.url))
  const args = ['--import', import.meta.resolve('tsx'), script, '--check']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
})
