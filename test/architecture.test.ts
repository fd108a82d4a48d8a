import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EVERY_LAYER, findViolations, MAX_LINES, type PackageFacts } from './helpers/architecture-rules.ts'
import { readModules } from './helpers/read-modules.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = [...EVERY_LAYER, 'cli', 'scripts', 'bench', 'examples', 'test']
const NOT_SOURCE = /^(?:test\/(?:fixtures|vectors)|.*\/node_modules)\//

/** Files over 250 lines, each with the reason why it is not two files. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'release/build/node-executable.ts': 'one flow: fetch, configure, inject, sign, check; each step is a file already',
  'test/agent/field.ts': 'the machine and the host that all tests of the agent stand on',
  'test/helpers/moult.ts': 'the commands and processes that all end-to-end tests stand on',
}

test('no source file crosses the lines of the architecture', () => {
  const sources = readSources()
  assert.ok(sources.has('manifests/errors.ts'), 'the sources were not found')
  assert.deepEqual(findViolations(readModules(sources), packageFacts(), LONG_FILES), [])
})

test('no allowlist entry outlives its file, and each has a reason', () => {
  const sources = readSources()
  for (const [path, reason] of Object.entries(LONG_FILES)) {
    assert.ok(sources.has(path), `no such file: ${path}`)
    assert.match(reason, /\w+ \w+/)
  }
})

const FACTS: PackageFacts = {
  shippedDependencies: new Set([
    'undici',
    'tar',
    'semver',
    'esbuild',
    '@aws-sdk/client-s3',
    '@aws-sdk/lib-storage',
    '@kubernetes/client-node',
  ]),
}

/** One planted violation each: [path, source, complaint]. */
const PLANTED: readonly (readonly [path: string, source: string, complaint: string])[] = [
  ['release/a.ts', `import { x } from '../agent/x.ts'`, '1: release may not import agent: ../agent/x.ts'],
  ['agent/a.ts', `\nexport * from '../release/x.ts'`, '2: agent may not import release: ../release/x.ts'],
  ['agent/a.ts', `import type { X } from '../release/x.ts'`, '1: agent may not import release: ../release/x.ts'],
  ['agent/a.ts', `const x = await import('../release/x.ts')`, '1: agent may not import release: ../release/x.ts'],
  ['agent/a.ts', `type X = import('../release/x.ts').X`, '1: agent may not import release: ../release/x.ts'],
  ['agent/b/a.ts', `const x = require('../../release/x')`, '1: agent may not import release: ../../release/x'],
  ['agent/a.ts', `import x = require('../release/x')`, '1: agent may not import release: ../release/x'],
  ['scripts/a.ts', `import '../cli/main.ts'`, '1: scripts may not import cli: ../cli/main.ts'],
  ['index.ts', `import './cli/main.ts'`, '1: the root may not import cli: ./cli/main.ts'],
  ['test/a.test.ts', `import '../cli/main.ts'`, '1: test may not import cli: ../cli/main.ts'],
  ['local-server/a.ts', `import '../manifests/x.ts'`, '1: local-server may not import manifests: ../manifests/x.ts'],
  ['manifests/a.ts', `import '../agent/x.ts'`, '1: manifests may not import agent: ../agent/x.ts'],
  ['manifests/a.ts', `import 'node:fs'`, '1: manifests may not import node:fs'],
  ['manifests/a.ts', `const now = new Date()`, '1: manifests reads the clock'],
  ['delta/a.ts', `import 'node:fs'`, '1: delta may not import node:fs'],
  ['trees/a.ts', `import '../agent/x.ts'`, '1: trees may not import agent: ../agent/x.ts'],
  ['agent/a.ts', `import 'esbuild'`, '1: agent may not import esbuild|build tool outside release and cli: esbuild'],
  ['agent/a.ts', `import { rmSync } from 'node:fs'`, '1: changes files beside agent/home/disk.ts: rmSync'],
  [
    'agent/a.ts',
    `import { lstat, rename as move } from 'node:fs/promises'`,
    '1: changes files beside agent/home/disk.ts: rename',
  ],
  ['agent/a.ts', `import * as fs from 'node:fs'`, '1: changes files beside agent/home/disk.ts: *'],
  ['agent/a.ts', `await import('node:fs')`, '1: changes files beside agent/home/disk.ts: *'],
  ['local-server/a.ts', `import 'esbuild'`, '1: build tool outside release and cli: esbuild'],
  ['release/a.ts', `await import('@aws-sdk/client-s3')`, '1: SDK outside release/publishers: @aws-sdk/client-s3'],
  ['release/publishers/a.ts', `import '@aws-sdk/client-s3'`, '1: SDK imported eagerly: @aws-sdk/client-s3'],
  ['kubernetes/a.ts', `import '../release/x.ts'`, '1: kubernetes may not import release: ../release/x.ts'],
  ['agent/a.ts', `import '../kubernetes/x.ts'`, '1: agent may not import kubernetes: ../kubernetes/x.ts'],
  ['cli/a.ts', `await import('@kubernetes/client-node')`, '1: SDK outside kubernetes: @kubernetes/client-node'],
  ['kubernetes/a.ts', `import '@kubernetes/client-node'`, '1: SDK imported eagerly: @kubernetes/client-node'],
  ['release/a.ts', `import 'left-pad'`, '1: not a dependency of the package: left-pad'],
  [
    'release/a.ts',
    `import 'moult/agent'`,
    '1: imports its own package: moult/agent|not a dependency of the package: moult/agent',
  ],
  ['cli/a.ts', `import '../../elsewhere/x.ts'`, '1: imports from outside the project: ../../elsewhere/x.ts'],
  ['cli/a.ts', `export default 1`, '1: default export'],
  ['cli/a.ts', `export default function a() {}`, '1: default export'],
  ['cli/a.ts', `const a = 1\nexport { a as default }`, '2: default export'],
  ['cli/a.ts', `enum Color { Red }`, '1: enum'],
  ['release/utils.ts', ``, '1: a name that says nothing'],
  ['release/hash-helpers.ts', ``, '1: a name that says nothing'],
  ['release/signers/index.ts', ``, `1: index.ts below a folder's root`],
  ['cli/a.ts', `\n`.repeat(MAX_LINES + 1), '251: 251 lines, and not in the allowlist'],
]

// All in one parse, each in a folder of its own: one compiler process instead of thirty.
const plantedModules = readModules(new Map(PLANTED.map(([path, source], index) => [`${index}/${path}`, source])))

for (const [index, [path, , complaint]] of PLANTED.entries()) {
  test(`a planted violation is reported: ${path}: ${complaint}`, () => {
    const [line = '', ...reasons] = complaint.split(/(?<=^\d+): |\|/)
    const expected = reasons.map((reason) => `${path}:${line}: ${reason}`)
    const planted = plantedModules[index]
    assert.ok(planted)
    assert.deepEqual(findViolations([{ ...planted, path }], FACTS, {}), expected)
  })
}

test('what is allowed is not reported', () => {
  const sources = new Map([
    ['index.ts', `export * from './agent/index.ts'`],
    ['manifests/a.ts', `import 'semver'\nimport 'node:crypto'\nimport './b.ts'\nconst then = new Date(0)`],
    ['release/index.ts', `import '../manifests/a.ts'\nimport 'esbuild'\nimport 'node:fs'`],
    ['release/publishers/s3.ts', `import type { S3 } from '@aws-sdk/client-s3'\nawait import('@aws-sdk/client-s3')`],
    [
      'agent/a.ts',
      `import 'tar'\nimport '../manifests/a.ts'\nimport { stat, type FileHandle } from 'node:fs/promises'`,
    ],
    ['agent/home/disk.ts', `import { rmSync } from 'node:fs'`],
    ['agent/b.ts', `// import '../release/x.ts'\nconst text = \`import '../release/x.ts'\``],
    ['cli/commands/a.ts', `import '../../release/index.ts'\nconst a = await import('../../agent/a.ts')`],
    ['test/cli/a.test.ts', `import '../../cli/commands/a.ts'`],
    ['test/helpers/a.ts', `import 'oxlint'\nimport '../../scripts/a.ts'`],
    ['bench/a.ts', `await import('@aws-sdk/client-s3')`],
    ['cli/b.ts', `\n`.repeat(MAX_LINES)],
    ['test/b.test.ts', `\n`.repeat(MAX_LINES + 1)],
  ])
  assert.deepEqual(findViolations(readModules(sources), FACTS, {}), [])
})

test('an allowlist entry of a short file is reported', () => {
  const modules = readModules(new Map([['cli/a.ts', '']]))
  assert.deepEqual(findViolations(modules, FACTS, { 'cli/a.ts': 'was long once' }), [
    'cli/a.ts:1: 1 lines: no longer needs its allowlist entry',
  ])
})

function readSources(): Map<string, string> {
  const paths = ['index.ts', ...FOLDERS].flatMap(listSources).sort()
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
}

function listSources(start: string): string[] {
  if (start === 'index.ts') return readdirSync(ROOT).filter((name) => name === start)
  const entries = readdirSync(ROOT).includes(start)
    ? readdirSync(join(ROOT, start), { recursive: true, withFileTypes: true })
    : []
  return entries
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !NOT_SOURCE.test(path))
}

function packageFacts(): PackageFacts {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string> | undefined
  >
  const kinds = ['dependencies', 'optionalDependencies', 'peerDependencies']
  return { shippedDependencies: new Set(kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}))) }
}
