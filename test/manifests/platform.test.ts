import assert from 'node:assert/strict'
import { test } from 'node:test'

import { PLATFORM_PATTERN, platformOf } from '../../manifests/index.ts'

test('platforms have the names that Go gives them', () => {
  assert.equal(platformOf('linux', 'x64'), 'linux-amd64')
  assert.equal(platformOf('linux', 'arm64'), 'linux-arm64')
  assert.equal(platformOf('darwin', 'arm64'), 'darwin-arm64')
  assert.equal(platformOf('win32', 'x64'), 'windows-amd64')
  assert.equal(platformOf('win32', 'ia32'), 'windows-386')
  assert.equal(platformOf('sunos', 'x64'), 'solaris-amd64')
  assert.equal(platformOf('plan9', 'mystery'), 'plan9-mystery')
})

test('the name of this machine and of every Node platform fits the pattern', () => {
  assert.match(platformOf(process.platform, process.arch), PLATFORM_PATTERN)
  for (const os of ['aix', 'darwin', 'freebsd', 'linux', 'openbsd', 'sunos', 'win32', 'android']) {
    for (const arch of ['arm', 'arm64', 'ia32', 'loong64', 'mips', 'mipsel', 'ppc64', 'riscv64', 's390x', 'x64']) {
      assert.match(platformOf(os, arch), PLATFORM_PATTERN)
    }
  }
})

test('the pattern holds no path, key of Object.prototype, or second line', () => {
  for (const bad of [
    'linux',
    'linux-',
    '-amd64',
    'Linux-amd64',
    'linux-amd64\n',
    '../x-y',
    'a-b-c',
    '__proto__',
    'constructor',
    'linux-amd64/..',
  ]) {
    assert.doesNotMatch(bad, PLATFORM_PATTERN)
  }
})
