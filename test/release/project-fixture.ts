// A small real project in a temporary folder, with a space in its path on purpose.

import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'

import { initProject, release, type ReleaseDeps, type ReleaseOptions, type ReleaseResult } from '../../release/index.ts'

export const PLATFORMS = ['linux-amd64', 'darwin-arm64'] as const

export interface Fixture {
  readonly dir: string
  readonly updates: string
  readonly config: string
  /** Writes the executables that the build type `files` takes. */
  readonly writeAgents: (text: string) => Promise<void>
  readonly change: (members: Record<string, unknown>) => Promise<void>
  readonly release: (version: string, options?: ReleaseOptions, deps?: ReleaseDeps) => Promise<ReleaseResult>
  readonly read: (path: string) => Promise<string>
  readonly readJson: <T>(path: string) => Promise<T>
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'moult test '))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A project that releases already built files for two platforms. */
export async function makeProject(t: TestContext, members: Record<string, unknown> = {}): Promise<Fixture> {
  const dir = await temporaryFolder(t)
  await initProject({ dir, name: 'probe', type: 'files', agent: 'bin/agent-{platform}' })
  const config = join(dir, 'moult.config.json')
  const fixture: Fixture = {
    dir,
    config,
    updates: join(dir, 'updates'),
    writeAgents: async (text) => {
      for (const platform of PLATFORMS)
        await writeTree(dir, { [`bin/agent-${platform}`]: `#!/bin/sh\n# ${platform}\n${text}\n` })
    },
    change: async (more) => {
      const before = JSON.parse(await readFile(config, 'utf8')) as object
      await writeFile(config, JSON.stringify({ ...before, ...more }))
    },
    release: (version, options = {}, deps = {}) => release({ config, version, ...options }, { env: {}, ...deps }),
    read: (path) => readFile(join(dir, path), 'utf8'),
    readJson: async <T>(path: string) => JSON.parse(await readFile(join(dir, path), 'utf8')) as T,
  }
  await fixture.change({ platforms: PLATFORMS, ...members })
  await fixture.writeAgents('echo 1')
  return fixture
}

/** Files by path; text that begins with `#!` becomes executable. */
export async function writeTree(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), text)
    await chmod(join(dir, path), text.startsWith('#!') ? 0o755 : 0o644)
  }
}

/** Every file below a folder with its content, to compare before and after. */
export async function snapshot(dir: string): Promise<Record<string, string>> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const pairs = await Promise.all(
    files.map(async (file) => [file.slice(dir.length + 1), await readFile(file, 'base64')] as const),
  )
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** The shape that `assert.rejects` compares. */
export function failsWith(code: string, message?: RegExp): (error: unknown) => boolean {
  return (error) => {
    const found = error as { code?: string; message?: string }
    if (found.code !== code) throw error
    if (message !== undefined && !message.test(found.message ?? '')) throw error
    return true
  }
}
