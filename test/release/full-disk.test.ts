import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { test } from 'node:test'

import { failsWith, makeProject, snapshot, writeTree } from './project-fixture.ts'

test('a full disk fails the release with a clear error, and what is live stays', async (t) => {
  const { dir, updates, release } = await makeProject(t, { platforms: ['linux-amd64'], compress: false })
  await mkdir(updates)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', updates], { stdio: 'ignore' })
  if (mounted.status !== 0) {
    t.skip('a small file system cannot be mounted here')
    return
  }
  try {
    await release('1.0.0')
    const before = await snapshot(updates)
    await writeTree(dir, { 'bin/agent-linux-amd64': `#!/bin/sh\n${'# filler\n'.repeat(50_000)}` })
    const failed = failsWith('ERR_PUBLISH_FAILED', /^the disk is full: .*bin\/1\.0\.1\/probe-linux-amd64/)
    await assert.rejects(release('1.0.1'), failed)
    assert.deepEqual(await snapshot(updates), before)
  } finally {
    execFileSync('umount', [updates])
  }
})
