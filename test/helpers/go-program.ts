// Programs of tests that are written in Go: standard library only, nothing fetched, and no trace outside of a scratch folder.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const hasGo = spawnSync('go', ['version']).status === 0

/** Runs `go` on the sources of a program, and gives what it prints. */
export function go(sources: string, scratch: string, args: readonly string[]): string {
  const env = {
    ...process.env,
    GOCACHE: join(scratch, 'cache'),
    GOPATH: join(scratch, 'path'),
    GOFLAGS: '-mod=mod',
    GOPROXY: 'off',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
  }
  const { status, stdout, stderr } = spawnSync('go', args, { cwd: sources, env, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}
