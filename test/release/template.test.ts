import assert from 'node:assert/strict'
import { test } from 'node:test'

import { fillPath, fillWord, placeholdersOf } from '../../release/template.ts'
import { failsWith } from './project-fixture.ts'

const values = placeholdersOf('probe', '1.2.3', 'windows-amd64')

test('every placeholder of a path is filled', () => {
  const path = fillPath('{name}/{version}/{os}-{arch}/{platform}{exe}', values)
  assert.equal(path, 'probe/1.2.3/windows-amd64/windows-amd64.exe')
})

test('only Windows programs get an extension', () => {
  assert.equal(fillPath('agent{exe}', placeholdersOf('probe', '1.2.3', 'linux-amd64')), 'agent')
})

test('an unknown placeholder of a path is an error that names the nearest', () => {
  assert.throws(
    () => fillPath('bin/{platfrom}', values),
    (error: Error & { hint?: string }) => {
      assert.equal(error.hint, 'Did you mean {platform}?')
      return failsWith('ERR_CONFIG_INVALID')(error)
    },
  )
})

test('what is nearly a placeholder of a command is an error that names it', () => {
  for (const [word, near] of [
    ['-o={oot}', 'out'],
    ['{OS}', 'os'],
    ['{platfrom}', 'platform'],
    ['{versions}', 'version'],
  ] as const) {
    assert.throws(
      () => fillWord(word, { ...values, out: 'x' }),
      (error: Error & { hint?: string }) => {
        assert.equal(error.hint, `Did you mean {${near}}?`)
        return failsWith('ERR_CONFIG_INVALID', /no such placeholder/)(error)
      },
    )
  }
})

test('braces in a command that are no placeholder stay', () => {
  assert.equal(
    fillWord('{print $1} {print} {x} {} {os} ${os} ${oss} {{.OS}} {toString} {constructor}', values),
    '{print $1} {print} {x} {} windows ${os} ${oss} {{.OS}} {toString} {constructor}',
  )
})
