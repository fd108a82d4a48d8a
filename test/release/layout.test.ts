import assert from 'node:assert/strict'
import { test } from 'node:test'

import { artifactPath, baseOfDelta, deltaPath, pathOf, urlOf } from '../../release/layout.ts'

test('a URL leads back to its path, also below a base URL', () => {
  const path = artifactPath('probe', '1.0.0-rc.1+build.5', 'linux-amd64', 'br')
  for (const baseUrl of [undefined, 'https://updates.example.com/agents'])
    assert.equal(pathOf(urlOf(path, baseUrl), baseUrl), path)
})

test('the plus of build metadata is escaped, and understood where it was not', () => {
  const path = artifactPath('probe', '1.0.0+5', 'linux-amd64')
  assert.equal(urlOf(path, undefined), 'bin/1.0.0%2B5/probe-linux-amd64')
  assert.equal(pathOf('bin/1.0.0+5/probe-linux-amd64', undefined), path)
})

test('the name of a delta leads back to the version that it starts from', () => {
  for (const base of ['1.0.0', '1.0.0-rc.1+build.5', '1.0.0-x.from-y'])
    for (const baseUrl of [undefined, 'https://updates.example.com/x.from-1.0.0'])
      assert.equal(baseOfDelta(urlOf(deltaPath('probe', '2.0.0+6', 'linux-amd64', base), baseUrl)), base)
  assert.equal(baseOfDelta(urlOf(artifactPath('probe', '1.0.0', 'linux-amd64', 'br'), undefined)), undefined)
})
