// `npm test`: build, typecheck, lint, format check, then every test file.
//
//   npm test                       everything but test/**/*.slow.test.ts
//   npm test -- manifests agent/   only test files whose path contains one of these; built, but not checked otherwise
//   npm test -- --slow             everything and the slow files
//   npm test -- --slow-only        only the slow files; built, but not checked otherwise
//
// `node --test` gets explicit files: Node 20 knows no globs, Node 22 and later refuse a directory.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TEST_CONCURRENCY = 3
/** Slow files mostly wait: for supervisors, hosts and time. */
const SLOW_CONCURRENCY = 5
/** Of a file and of each test in it: far beyond what any needs, so that one that hangs fails and says which it is. */
const TEST_TIMEOUT_MS = 900_000
/** First line of the summary of node:test's spec reporter. */
const SUMMARY_START = /^(?:\x1b\[\d+m)*ℹ tests \d+/

interface Stage {
  readonly name: string
  /** Arguments of Node. */
  readonly args: readonly string[]
}

// Called by path: `npm run` would print a banner and cost half a second each.
/** First: tests run the built commands, and the example agents are checked against the built package, as a user's would be. */
const BUILD: Stage = { name: 'build', args: ['--import', 'tsx', 'scripts/build.ts'] }
const CHECKS: readonly Stage[] = [
  { name: 'typecheck', args: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  { name: 'lint', args: ['node_modules/oxlint/bin/oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format check', args: ['node_modules/oxfmt/bin/oxfmt', '--check'] },
]

const { values: flags, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { slow: { type: 'boolean', default: false }, 'slow-only': { type: 'boolean', default: false } },
})
process.exitCode = await main()

async function main(): Promise<number> {
  const files = selectFiles()
  if (files.length === 0) {
    console.error(`no test file matches: ${filters.join(' ') || '*.slow.test.ts'}`)
    return 1
  }
  const isWhole = filters.length === 0 && !flags['slow-only']
  if (!(await runStages([BUILD, ...(isWhole ? CHECKS : [])]))) return 1
  return await runTests(files)
}

function selectFiles(): string[] {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => `test/${name.split(sep).join('/')}`)
    .filter((path) => path.endsWith('.test.ts') && !/^test\/(?:fixtures|vectors)\//.test(path))
    .sort()
  const wanted = filters.map((filter) => filter.replace(/^\.\//, ''))
  const isNamed = (path: string): boolean =>
    wanted.some((filter) => path.includes(filter) || resolve(filter) === join(ROOT, path))
  const isSlow = (path: string): boolean => path.endsWith('.slow.test.ts')

  return files.filter((path) => {
    if (wanted.length > 0 && !isNamed(path)) return false
    if (flags['slow-only']) return isSlow(path)
    // A slow file runs when it is asked for by its own name, too.
    return !isSlow(path) || flags.slow || wanted.some((filter) => filter.includes('.slow'))
  })
}

/** Runs all of them even when one fails: each reports other faults. */
async function runStages(stages: readonly Stage[]): Promise<boolean> {
  const failed: string[] = []
  for (const { name, args } of stages) {
    console.log(`# ${name}`)
    const startedAt = performance.now()
    const status = await finished(spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: childEnv() }))
    if (status !== 0) failed.push(name)
    console.log(`# ${name} ${status === 0 ? 'ok' : 'FAILED'} in ${secondsSince(startedAt)}\n`)
  }
  if (failed.length > 0) console.error(`not tested, because of: ${failed.join(', ')}`)
  return failed.length === 0
}

async function runTests(files: readonly string[]): Promise<number> {
  console.log(`# tests: ${files.length} files`)
  const startedAt = performance.now()
  const scratch = mkdtempSync(join(tmpdir(), 'moult-tests-'))
  const warningsFile = join(scratch, 'warnings')
  const concurrency = flags['slow-only'] ? SLOW_CONCURRENCY : TEST_CONCURRENCY
  const args = [
    ...['--import', 'tsx', '--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec'],
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    // What a supervisor leaves behind may hold a pipe of its test open for ever. Not always: it may cut off a warning of Node.
    ...(flags.slow || flags['slow-only'] ? ['--test-force-exit'] : []),
    ...files,
  ]
  try {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['inherit', 'pipe', 'inherit'],
      env: childEnv({ NODE_REDIRECT_WARNINGS: warningsFile }),
    })
    const [status, summary] = await Promise.all([finished(child), passThroughToSummary(child)])
    for (const line of describeWarnings(warningsFile)) console.log(line)
    console.log(`# tests ${status === 0 ? 'ok' : 'FAILED'} in ${secondsSince(startedAt)}`)
    if (summary.length > 0) console.log(summary.join('\n'))
    return status
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Prints what the runner says up to its summary and keeps that back, so that it can come last. */
async function passThroughToSummary({ stdout }: ChildProcess): Promise<string[]> {
  const summary: string[] = []
  if (stdout === null) return summary
  for await (const line of createInterface({ input: stdout, crlfDelay: Infinity })) {
    if (summary.length > 0 || SUMMARY_START.test(line)) summary.push(line)
    else console.log(line)
  }
  return summary
}

/** One line for each different warning that a test process or one of its children gave. */
function describeWarnings(file: string): string[] {
  const counts = new Map<string, number>()
  for (const line of readLines(file)) {
    const warning = /^\(node:\d+\) (.+)$/.exec(line)?.[1]
    if (warning !== undefined) counts.set(warning, (counts.get(warning) ?? 0) + 1)
  }
  return [...counts].map(([warning, count]) => `# Node warning (${count}x): ${warning}`)
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return [] // Nothing was written.
  }
}

/** @returns the exit status; death by a signal counts as 1 */
function finished(child: ChildProcess): Promise<number> {
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('close', (status) => settle(status ?? 1))
  })
}

/** A run inside a test must not report to the outer runner. */
function childEnv(added: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return { ...env, ...added }
}

function secondsSince(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}
