// The linter is only worth what it reports. Here it runs over faults planted on purpose, so that a rule that went silent
// (a new version, no type information, a wrong glob) is noticed. Everything is staged in a temporary folder, because the
// rules differ from folder to folder and the normal run must not see the faults.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FIXTURE = join(ROOT, 'test/fixtures/lint/planted-faults.ts')
const CONFIG_FILES = ['.oxlintrc.json', 'tsconfig.json', 'package.json']
const RULE_NAME = /^\s*"((?:eslint|typescript|unicorn|oxc|import)\/[a-z-]+)":/gm

interface Diagnostic {
  readonly code: string
  readonly filename: string
  readonly labels: readonly { readonly span: { readonly line: number } }[]
}

/** What a file of one folder may not contain, next to what it may. */
interface FolderCase {
  readonly file: string
  readonly faults: readonly (readonly [code: string, rule: string])[]
  readonly clean: readonly string[]
}

const IMPORTS = 'eslint/no-restricted-imports'
const GLOBALS = 'eslint/no-restricted-globals'
const PROPERTIES = 'eslint/no-restricted-properties'
const CONSOLE = 'eslint/no-console'
const EXIT = 'unicorn/no-process-exit'

const FOLDER_CASES: readonly FolderCase[] = [
  {
    file: 'manifests/case.ts',
    faults: [
      [`import 'node:fs'`, IMPORTS],
      [`import 'node:fs/promises'`, IMPORTS],
      [`import 'node:http'`, IMPORTS],
      [`import 'node:child_process'`, IMPORTS],
      [`import '../agent/neighbour.ts'`, IMPORTS],
      [`import 'tweetnacl'`, IMPORTS],
      [`process.env['HOME']?.trim()`, GLOBALS],
      [`void fetch('https://example.com')`, GLOBALS],
      [`setTimeout(() => {}, 1)`, GLOBALS],
      [`Date.now()`, PROPERTIES],
      [`Math.random()`, PROPERTIES],
      [`console.log('x')`, CONSOLE],
    ],
    clean: [
      `import './neighbour.ts'`,
      `import 'semver'`,
      `import 'semver/functions/parse.js'`,
      `import 'fastest-levenshtein'`,
      `import 'node:crypto'`,
    ],
  },
  {
    file: 'release/case.ts',
    faults: [
      [`import '../agent/neighbour.ts'`, IMPORTS],
      [`import '../cli/neighbour.ts'`, IMPORTS],
      [`import '../local-server/neighbour.ts'`, IMPORTS],
      [`process.stdout.write('x')`, PROPERTIES],
      [`process.argv.pop()`, PROPERTIES],
      [`process.exit(1)`, EXIT],
    ],
    clean: [`import '../manifests/neighbour.ts'`, `import 'node:fs'`, `import 'esbuild'`],
  },
  {
    file: 'release/publishers/case.ts',
    faults: [[`import '../../agent/neighbour.ts'`, IMPORTS]],
    clean: [`import '../neighbour.ts'`, `import '../../manifests/neighbour.ts'`],
  },
  {
    file: 'agent/case.ts',
    faults: [
      [`import '../release/neighbour.ts'`, IMPORTS],
      [`import '../cli/neighbour.ts'`, IMPORTS],
      [`import 'commander'`, IMPORTS],
      [`import 'execa'`, IMPORTS],
      [`import 'undici'`, IMPORTS],
      [`process.exit(1)`, EXIT],
      [`process.exitCode = 1`, PROPERTIES],
      [`console.error('x')`, CONSOLE],
    ],
    clean: [`import '../manifests/neighbour.ts'`, `import 'node:fs/promises'`, `import 'tar'`],
  },
  { file: 'agent/restart/restart.ts', faults: [[`console.log('x')`, CONSOLE]], clean: [`process.exit(100)`] },
  { file: 'fleet/case.ts', faults: [[`import '../agent/neighbour.ts'`, IMPORTS]], clean: [] },
  {
    file: 'local-server/case.ts',
    faults: [
      [`import '../manifests/neighbour.ts'`, IMPORTS],
      [`import '../release/neighbour.ts'`, IMPORTS],
      [`process.exit(1)`, EXIT],
    ],
    clean: [`import 'node:http'`, `import 'send'`],
  },
  {
    file: 'cli/case.ts',
    faults: [],
    clean: [
      `import '../release/neighbour.ts'`,
      `import '../agent/neighbour.ts'`,
      `console.log(process.argv)`,
      `process.exit(1)`,
    ],
  },
  {
    file: 'scripts/case.ts',
    faults: [[`import '../cli/neighbour.ts'`, IMPORTS]],
    clean: [`import '../release/neighbour.ts'`, `console.log('x')`, `process.exit(1)`],
  },
  {
    file: 'test/case.test.ts',
    faults: [
      [`import '../cli/neighbour.ts'`, IMPORTS],
      [`Promise.resolve(1)`, 'typescript/no-floating-promises'],
    ],
    // The promise of a top-level test of node:test may float.
    clean: [
      `import { describe, it, test } from 'node:test'`,
      `test('x', async () => {})`,
      `it('x', () => {})`,
      `describe('x', () => {})`,
    ],
  },
  { file: 'test/cli/case.test.ts', faults: [], clean: [`import '../../cli/neighbour.ts'`] },
]

describe('the linter', () => {
  let stage = ''
  let status: number | null = null
  let reported = new Map<string, Set<string>>()

  before(() => {
    stage = mkdtempSync(join(tmpdir(), 'moult lint '))
    for (const name of CONFIG_FILES) cpSync(join(ROOT, name), join(stage, name))
    symlinkSync(join(ROOT, 'node_modules'), join(stage, 'node_modules'), 'dir')
    for (const folder of ['manifests', 'release', 'agent', 'local-server', 'cli']) {
      writeStaged(stage, `${folder}/neighbour.ts`, 'export {}')
    }
    cpSync(FIXTURE, join(stage, 'release/planted-faults.ts'))
    const cycle = `import { used } from './planted-faults.ts'\nexport const cycle = used`
    writeStaged(stage, 'release/planted-cycle.ts', cycle)
    for (const { file, faults, clean } of FOLDER_CASES) {
      writeStaged(stage, file, [...faults.map(([code]) => code), ...clean].join('\n'))
    }
    ;({ status, reported } = lint(stage))
  })
  after(() => rmSync(stage, { recursive: true, force: true }))

  test('reports every planted fault on its own line, and nothing else', () => {
    const expected = new Set(plantedFaults(readFileSync(FIXTURE, 'utf8')))
    assert.deepEqual([...(reported.get('release/planted-faults.ts') ?? [])].sort(), [...expected].sort())
  })

  test('has a planted fault for every rule the config names', () => {
    const config = readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')
    const named = new Set(Array.from(config.matchAll(RULE_NAME), ([, rule]) => rule))
    const planted = new Set([...reported.values()].flatMap((faults) => [...faults].map((fault) => fault.split(' ')[1])))
    assert.ok(named.size > 40, `the config names ${named.size} rules`)
    assert.deepEqual(
      [...named].filter((rule) => !planted.has(rule)),
      [],
    )
  })

  for (const { file, faults } of FOLDER_CASES) {
    test(`reports in ${file} what it must, and nothing else`, () => {
      const expected = faults.map(([, rule], index) => `${index + 1} ${rule}`)
      assert.deepEqual([...(reported.get(file) ?? [])].sort(), expected.sort())
    })
  }

  test('ends with an error status on findings and with 0 without', () => {
    assert.equal(status, 1)
    assert.equal(lint(stage, 'manifests/neighbour.ts').status, 0)
  })

  test('is what `npm run lint` runs', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    assert.equal(scripts['lint'], 'oxlint --type-aware --deny-warnings')
  })
})

function writeStaged(stage: string, file: string, text: string): void {
  mkdirSync(dirname(join(stage, file)), { recursive: true })
  writeFileSync(join(stage, file), `${text}\n`)
}

/** `<line> <rule>` for every mark of the fixture. */
function plantedFaults(text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const rules = /planted: ([a-z]+\/[a-z, /-]+)$/.exec(line)?.[1]?.split(', ') ?? []
    return rules.map((rule) => `${index + 1} ${rule}`)
  })
}

function lint(stage: string, ...paths: string[]): { status: number | null; reported: Map<string, Set<string>> } {
  const oxlint = join(ROOT, 'node_modules/oxlint/bin/oxlint')
  const args = [oxlint, '--type-aware', '--deny-warnings', '--format', 'json', ...paths]
  const run = spawnSync(process.execPath, args, { cwd: stage, encoding: 'utf8' })
  assert.ok(run.stdout.startsWith('{'), `oxlint did not answer: ${run.stdout}${run.stderr}`)
  const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: readonly Diagnostic[] }
  const reported = new Map<string, Set<string>>()
  for (const { code, filename, labels } of diagnostics) {
    const [, plugin = '', rule = ''] = /^([a-z-]+)\(([a-z-]+)\)$/.exec(code) ?? []
    const faults = reported.get(filename) ?? new Set()
    faults.add(`${labels[0]?.span.line ?? 0} ${plugin.replace('typescript-eslint', 'typescript')}/${rule}`)
    reported.set(filename, faults)
  }
  return { status: run.status, reported }
}
