import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { freeBytes, homeAt, prepareHome } from '../../../agent/home/home.ts'
import { failureOf, makeDir } from '../field.ts'

describe('a home', () => {
  test('is made with directories that only its user can write to, whatever the umask, and once', (t) => {
    const home = homeAt(join(makeDir(t), 'deep/er/home'))
    const before = process.umask(0)
    prepareHome(home)
    process.umask(before)
    assert.equal(fs.statSync(home.staging).mode & 0o777, 0o700)
    assert.equal(fs.statSync(home.versions).mode & 0o777, 0o755)
    prepareHome(home)
    assert.ok(freeBytes(home) > 0)
  })

  test('is refused with directories that others can write to, or that are none', async (t) => {
    for (const spoil of [
      (path: string) => fs.chmodSync(path, 0o775),
      (path: string) => fs.chmodSync(path, 0o707),
      (path: string) => (fs.rmdirSync(path), fs.symlinkSync('/tmp', path)),
      (path: string) => (fs.rmdirSync(path), fs.writeFileSync(path, '')),
      ...(process.getuid?.() === 0 ? [(path: string) => fs.chownSync(path, 65_534, 65_534)] : []),
    ]) {
      for (const which of ['versions', 'staging'] as const) {
        const home = homeAt(makeDir(t))
        prepareHome(home)
        spoil(home[which])
        assert.equal((await failureOf(() => prepareHome(home))).exitCode, 25, String(spoil))
      }
    }
  })

  test('is refused when others can write to it, or own it; root may, and a link may lead to it', async (t) => {
    const home = homeAt(makeDir(t))
    prepareHome(home)
    for (const mode of [0o775, 0o707, 0o777, 0o1777]) {
      fs.chmodSync(home.path, mode)
      const error = await failureOf(() => prepareHome(home))
      assert.equal(error.code, 'ERR_HOME_INVALID')
      assert.ok(String(error.hint).endsWith(`chmod go-w ${home.path}`))
    }
    fs.chmodSync(home.path, 0o755)
    const link = join(makeDir(t), 'link')
    fs.symlinkSync(home.path, link)
    prepareHome(homeAt(link))
    if (process.getuid?.() !== 0) return
    fs.chownSync(home.path, 65_534, 65_534)
    assert.equal((await failureOf(() => prepareHome(home))).code, 'ERR_HOME_INVALID')
    fs.chownSync(home.path, 0, 0)
    for (const path of [home.versions, home.staging]) fs.chownSync(path, 65_534, 65_534)
    const { getuid } = process
    t.after(() => Object.assign(process, { getuid }))
    Object.assign(process, { getuid: () => 65_534 })
    prepareHome(home)
  })

  test('is refused when it is spread over several file systems', async (t) => {
    const home = homeAt(makeDir(t))
    prepareHome(home)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'none', home.staging]).status !== 0)
      return t.skip('no right to mount here')
    try {
      const error = await failureOf(() => prepareHome(home))
      assert.equal(error.code, 'ERR_HOME_INVALID')
      assert.match(error.message, /several file systems/)
    } finally {
      spawnSync('umount', ['-l', home.staging])
    }
  })
})
