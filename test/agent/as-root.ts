import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why tests that mount and change users cannot run here; false where they can. In CI they have to. */
export function noRoot(): string | false {
  if (process.env['CI'] !== undefined) return false
  if (process.getuid?.() !== 0) return 'needs root'
  const path = mkdtempSync(join(tmpdir(), 'moult-mount-'))
  try {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', path]).status !== 0)
      return 'no right to mount here'
    spawnSync('umount', [path])
    return false
  } finally {
    rmdirSync(path)
  }
}
