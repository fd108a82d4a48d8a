import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { BUILT_AT_MS, MOULT_VERSION } from '../../agent/moult-version.ts'

test('the version in the agent is that of package.json', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  assert.equal(MOULT_VERSION, version)
  assert.ok(BUILT_AT_MS > Date.UTC(2026, 0, 1))
})
