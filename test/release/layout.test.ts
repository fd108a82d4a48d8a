import assert from 'node:assert/strict'
import { test } from 'node:test'

import { artifactPath, pathOf, urlOf } from '../../release/layout.ts'

test('a URL leads back to its path, on every channel and below a base URL', () => {
  const path = artifactPath('probe', '1.0.0-rc.1+build.5', 'linux-amd64', 'br')
  for (const [channel, baseUrl] of [
    ['stable', undefined],
    ['beta', undefined],
    ['stable', 'https://updates.example.com/agents'],
  ] as const) {
    assert.equal(pathOf(urlOf(path, channel, baseUrl), channel, baseUrl), path)
  }
})

test('the plus of build metadata is escaped, and understood where it was not', () => {
  const path = artifactPath('probe', '1.0.0+5', 'linux-amd64')
  assert.equal(urlOf(path, 'beta', undefined), '../bin/1.0.0%2B5/probe-linux-amd64')
  assert.equal(pathOf('../bin/1.0.0+5/probe-linux-amd64', 'beta', undefined), path)
})
