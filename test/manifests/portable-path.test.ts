import assert from 'node:assert/strict'
import { test } from 'node:test'

import { isPortablePath } from '../../manifests/index.ts'

test('a path is portable unless a part of it ends in a dot or is a device of Windows, whatever its ending', () => {
  for (const path of [
    'agent',
    'bin/agent',
    '.hidden',
    'a.b.c',
    'console',
    'com',
    'com10',
    'lpt',
    'nul-1',
    'my.con',
    'auxiliary',
  ]) {
    assert.ok(isPortablePath(path), path)
  }
  const stems = ['con', 'PRN', 'Aux', 'nul', 'com0', 'COM9', 'lpt0', 'Lpt9', 'con.txt', 'nul.tar.gz']
  for (const path of [
    ...stems.flatMap((stem) => [stem, `lib/${stem}`, `${stem}/agent`]),
    'a.',
    'a./b',
    '...',
    'b/..',
  ]) {
    assert.equal(isPortablePath(path), false, path)
  }
})
