// Writes docs/ceremonies.md: runs every command that stands there and records what it prints. Key ids, digests and dates
// differ from run to run, so they are replaced by fixed ones of the same form.
//
//   npm run -s build && npx tsx scripts/record-ceremonies.ts            write the page
//   npm run -s build && npx tsx scripts/record-ceremonies.ts --check    fail when it is not what the commands print

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { platformOf } from '../manifests/platform.ts'
import { CHAPTERS, type Step } from './ceremony-chapters.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = join(ROOT, 'docs', 'ceremonies.md')
const MAIN = join(ROOT, 'dist', 'cli', 'main.js')
const DAY_MS = 86_400_000
const HOST = platformOf(process.platform, process.arch)
/** Width of the names of platforms in a listing. */
const HOST_COLUMN = 16
/** What today is in the transcripts. */
const TODAY_MS = Date.UTC(2026, 10, 21, 2)

const scratch = mkdtempSync(join(realpathSync(tmpdir()), 'moult-ceremonies-'))
const startedMs = Date.now()
const ids = new Map<string, string>()
try {
  const page = writePage()
  if (process.argv.includes('--check')) {
    const isSame = readFileSync(PAGE, 'utf8') === page
    if (!isSame) console.error('docs/ceremonies.md is not what the commands print: run scripts/record-ceremonies.ts')
    process.exitCode = isSame ? 0 : 1
  } else {
    mkdirSync(dirname(PAGE), { recursive: true })
    writeFileSync(PAGE, page)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

function writePage(): string {
  const parts: string[] = []
  for (const { title, steps } of CHAPTERS) {
    if (title !== '') parts.push(`## ${title}`)
    let transcript: string[] = []
    const flush = (): void => {
      if (transcript.length > 0) parts.push(['```console', ...transcript, '```'].join('\n'))
      transcript = []
    }
    for (const step of steps) {
      if ('say' in step) {
        flush()
        parts.push(step.say)
      } else if ('run' in step) {
        transcript.push(...runCommand(step))
      } else {
        prepare(step)
      }
    }
    flush()
  }
  return `${parts.join('\n\n')}\n`
}

/** Places are folders below the scratch folder; `project` is shown as a path of its own. */
function placeOf(name = 'project'): string {
  const path = join(scratch, name)
  mkdirSync(path, { recursive: true })
  return path
}

function runCommand({ run, at, status = 0, hides }: Extract<Step, { run: string }>): string[] {
  const cwd = placeOf(at)
  const words = run.split(' ').map(idsIn)
  const { MOULT_KEY: _, ...env } = process.env
  const result = spawnSync(process.execPath, [MAIN, ...words.slice(1)], { cwd, env, encoding: 'utf8' })
  if (result.status !== status) throw new Error(`${run}: ${result.status}\n${result.stdout}${result.stderr}`)
  const made = /^moult keys new keys\/([\w-]+)\.key$/.exec(run)?.[1]
  if (made !== undefined) learn(made, at)
  const shown = words.map(normalised).join(' ')
  const output = hides === true ? '' : normalised(result.stderr + result.stdout).trimEnd()
  const prompt = at === undefined || at === 'project' ? '$' : `${at}$`
  return [
    `${prompt} ${shown}`,
    ...(output === '' ? [] : output.split('\n')),
    ...(status === 0 ? [] : [`(exit ${status})`]),
  ]
}

function prepare(step: Exclude<Step, { say: string } | { run: string }>): void {
  if ('write' in step) {
    mkdirSync(dirname(join(placeOf(step.at), step.write)), { recursive: true })
    writeFileSync(join(placeOf(step.at), step.write), step.text, { mode: 0o755 })
  } else if ('copy' in step) {
    const [from, to] = step.copy
    mkdirSync(dirname(join(scratch, to)), { recursive: true })
    cpSync(join(scratch, from), join(scratch, to), { recursive: true })
  } else if ('keys' in step) {
    for (const label of step.keys) runCommand({ run: `moult keys new keys/${label}.key`, at: step.at })
  } else if ('learn' in step) {
    learn(step.learn, step.at)
  } else {
    const file = join(placeOf(step.at), 'moult.config.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as object
    writeFileSync(file, JSON.stringify({ ...config, keys: step.config }))
  }
}

function learn(label: string, at: string | undefined): void {
  const cwd = placeOf(at)
  const { stdout } = spawnSync(process.execPath, [MAIN, 'keys', 'public', `keys/${label}.key`, '--json'], {
    cwd,
    encoding: 'utf8',
  })
  ids.set((JSON.parse(stdout) as { id: string }).id, label)
}

/** `{alice}` in a command stands for the beginning of that key's id. */
function idsIn(word: string): string {
  return word.replaceAll(/\{([\w-]+)\}/g, (_, label: string) => {
    const id = [...ids].find(([, name]) => name === label)?.[0]
    if (id === undefined) throw new Error(`no key: ${label}`)
    return id.slice(0, 12)
  })
}

function normalised(text: string): string {
  const hash = (of: string): string => createHash('sha256').update(`moult docs ${of}`).digest('hex')
  let result = text
    .replaceAll(join(scratch, 'project'), '/srv/tide-gauge')
    .replaceAll(scratch, '/media')
    // The project has the platform of the machine that records.
    .replaceAll(HOST.padEnd(HOST_COLUMN), 'linux-amd64'.padEnd(HOST_COLUMN))
  for (const [id, label] of ids)
    result = result.replaceAll(id, hash(label)).replaceAll(id.slice(0, 12), hash(label).slice(0, 12))
  const known = new Set([...ids.values()].map(hash))
  return result
    .replaceAll(/\b[0-9a-f]{64}\b/g, (found) => (known.has(found) ? found : hash('digest')))
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, (date) => {
      const days = Math.round((Date.parse(date) - startedMs) / DAY_MS)
      return `${new Date(TODAY_MS + days * DAY_MS).toISOString().slice(0, 19)}Z`
    })
    .replaceAll(/Public key \S+/g, `Public key ${Buffer.from(hash('public'), 'hex').toString('base64')}`)
    .replaceAll(/[sS]equence 1\d{9}\b/g, 'sequence 1795226400')
}
