// A new project: configuration, one key, the root that names it in every role. All of it or nothing, and nothing that
// exists is touched, except that `.gitignore` gets a line.

import { randomBytes } from 'node:crypto'
import { appendFile, mkdir, open, readFile, rm, rmdir, lstat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { type KeyId, MoultError, SEED_BYTES } from '../manifests/index.ts'
import { type Config, CONFIG_FILE } from './config.ts'
import { documentBytes } from './document-bytes.ts'
import { isSystemError } from './file-system-error.ts'
import { type BuildType, initialConfig } from './initial-config.ts'
import { makeRoot } from './make-root.ts'
import { DEFAULT_ROOT_FILE } from './open-project.ts'
import { formatKeyFile } from './signers/key-file.ts'
import { DEFAULT_KEY_FILE } from './signers/open-signer.ts'
import { signerOfSeed } from './signers/signer.ts'
import { type ReleaseDeps, surroundingsOf } from './surroundings.ts'
import { fillPath, placeholdersOf } from './template.ts'

export interface InitOptions {
  /** Default: the name in package.json, else of the folder. */
  readonly name?: string | undefined
  /** Default: the working directory. */
  readonly dir?: string | undefined
  /** The agent: its source for `script` and `node`, its file for the others. */
  readonly agent?: string | undefined
  /** Default: `script` for a TypeScript or JavaScript agent, else `files`. */
  readonly type?: BuildType | undefined
}

export interface InitResult {
  readonly name: string
  readonly dir: string
  readonly type: BuildType
  /** Relative to `dir`. */
  readonly files: readonly string[]
  /** The agent, or what the build of this machine's platform takes, where it is not there yet; relative to `dir`. */
  readonly missing?: string
  readonly keyId: KeyId
}

/** @throws MoultError ERR_USAGE_EXISTS or ERR_USAGE_INVALID */
export async function initProject(options: InitOptions = {}, deps: ReleaseDeps = {}): Promise<InitResult> {
  const around = surroundingsOf(deps)
  const dir = resolve(options.dir ?? '.')
  const config = await initialConfig(dir, options)
  const agent = agentOf(config)
  const seed = new Uint8Array(randomBytes(SEED_BYTES))
  const signer = signerOfSeed(seed)
  const root = await makeRoot(config.name, signer, around.now())
  const files = [
    { path: CONFIG_FILE, content: `${JSON.stringify(config, null, 2)}\n`, mode: 0o644 },
    { path: DEFAULT_KEY_FILE, content: formatKeyFile(seed), mode: 0o600 },
    { path: DEFAULT_ROOT_FILE, content: documentBytes(root), mode: 0o644 },
  ]
  await assertAbsent(
    dir,
    files.map(({ path }) => path),
  )

  const written = files.map(({ path }) => path)
  const undo: (() => Promise<void>)[] = []
  try {
    for (const { path, content, mode } of files) {
      await makeFolder(dirname(join(dir, path)), mode === 0o600, undo)
      await writeNew(join(dir, path), content, mode, undo)
    }
    if (await ignoreKeys(join(dir, '.gitignore'), `${dirname(DEFAULT_KEY_FILE)}/`)) written.push('.gitignore')
  } catch (error) {
    for (const step of undo.toReversed()) await step().catch(() => {})
    if (!isSystemError(error)) throw error
    throw new MoultError('ERR_USAGE_INVALID', `cannot be written (${error.code}): ${error.path ?? dir}`, {
      details: { dir, code: error.code },
      cause: error,
    })
  }
  const { name, build } = config
  const isMissing = agent !== undefined && !(await exists(resolve(dir, agent)))
  return {
    name,
    dir,
    type: build.type,
    files: written,
    keyId: signer.keyId,
    ...(isMissing ? { missing: agent } : {}),
  }
}

/** What the first release takes; undefined where a command makes it, or where its path names the version. */
function agentOf({ name, build, platforms = [] }: Config): string | undefined {
  if (build.type === 'command') return undefined
  if (build.type === 'script' || build.type === 'node') return build.entry
  if (build.path.includes('{version}')) return undefined
  const path = fillPath(build.path, placeholdersOf(name, '', platforms[0] ?? ''))
  return build.type === 'directory' ? join(path, build.entry) : path
}

async function assertAbsent(dir: string, paths: readonly string[]): Promise<void> {
  const present: string[] = []
  for (const path of paths) if (await exists(join(dir, path))) present.push(path)
  if (present.length === 0) return
  throw new MoultError('ERR_USAGE_EXISTS', `already exists: ${present.join(', ')}`, {
    hint: 'This is a project already. A key that is overwritten cannot be had back.',
    details: { dir, files: present },
  })
}

async function makeFolder(folder: string, isPrivate: boolean, undo: (() => Promise<void>)[]): Promise<void> {
  if (await exists(folder)) return
  await mkdir(folder, { recursive: true, mode: isPrivate ? 0o700 : 0o777 })
  undo.push(() => rmdir(folder))
}

/** The mode holds from the first byte, and a file that appears meanwhile is not overwritten. */
async function writeNew(
  path: string,
  content: string | Uint8Array,
  mode: number,
  undo: (() => Promise<void>)[],
): Promise<void> {
  const file = await open(path, 'wx', mode)
  undo.push(() => rm(path, { force: true }))
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** True when the line was not there yet. */
async function ignoreKeys(path: string, line: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text.split(/\r?\n/).some((present) => present.trim().replace(/^\//, '') === line)) return false
  await appendFile(path, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`)
  return true
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
