import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROJECT_FILES = ['package.json', 'tsconfig.json', 'tsconfig.build.json', '.oxlintrc.json', '.oxfmtrc.json']

export interface StagedRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface StagedProject {
  readonly root: string
  write(path: string, text: string): void
  /** Runs a script of `scripts/` in the staged project. */
  run(script: string, ...args: string[]): Promise<StagedRun>
  remove(): void
}

/** A small project with this one's scripts and settings, in a folder with a space in its name. */
export function stageProject(files: Readonly<Record<string, string>>): StagedProject {
  const root = mkdtempSync(join(tmpdir(), 'moult staged '))
  for (const name of PROJECT_FILES) cpSync(join(ROOT, name), join(root, name))
  for (const name of ['build.ts', 'run-tests.ts']) cpSync(join(ROOT, 'scripts', name), join(root, 'scripts', name))
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'), 'dir')
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  for (const [path, text] of Object.entries(files)) write(path, text)

  const run = async (script: string, ...args: string[]): Promise<StagedRun> => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'scripts', script), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    return { status, stdout, stderr }
  }
  return { root, write, run, remove: () => rmSync(root, { recursive: true, force: true }) }
}
