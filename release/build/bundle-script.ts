import { realpath } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import type { BuildFailure, BuildResult, Message } from 'esbuild'
import { MoultError } from '../../manifests/errors.ts'
import type { Platform } from '../../manifests/platform.ts'

export interface BundleScriptOptions {
  /** Main file of the agent, TypeScript or JavaScript; relative to `cwd`. */
  entry: string
  /** What the agent reads as `__MOULT_VERSION__`. */
  version: string
  platform: Platform
  /** More identifiers to replace, each by an expression in source form, e.g. `{ API: '"https://…"' }`. */
  define?: Readonly<Record<string, string>>
  minify?: boolean
  /** Paths in the output are relative to this directory; default: the working directory. */
  cwd?: string
  /** Receives the bundler's warnings, one text each. */
  log?: (line: string) => void
}

const SHEBANG = '#!/usr/bin/env node\n'

// One text must work in three surroundings: as CommonJS, as an ES module (the nearest package.json decides which, and
// whoever installs the agent owns that file), and as the main script of a single executable, where the `require` that
// Node hands over knows only built-in modules. Hence `var`: it keeps the wrapper's parameter of the same name where
// there is one and makes a variable where there is none. 'use strict' comes first because an ES module is strict
// anyway: so the agent behaves the same in all three.
const BANNER = [
  "'use strict'",
  'var __filename = typeof __filename === "string" ? __filename : process.getBuiltinModule("node:fs").realpathSync(process.argv[1])',
  'var __dirname = process.getBuiltinModule("node:path").dirname(__filename)',
  'var require = process.getBuiltinModule("node:module").createRequire(__filename)',
  // Names of their own: `const __dirname = import.meta.dirname` in the agent would otherwise refer to itself.
  'var __moultFilename = __filename, __moultDirname = __dirname',
  'var __moultUrl = process.getBuiltinModule("node:url").pathToFileURL(__filename).href',
]
  .map((statement) => `${statement};`)
  .join('\n')

const OWN_DEFINES = {
  'import.meta.url': '__moultUrl',
  'import.meta.filename': '__moultFilename',
  'import.meta.dirname': '__moultDirname',
}

/**
 * Bundles an agent and all it imports into one text that the host's Node (20.19 or later) runs as an executable file
 * without an extension. The same input gives the same bytes, wherever the project lies.
 *
 * The agent reads its version from the global identifier `__MOULT_VERSION__` (in TypeScript:
 * `declare const __MOULT_VERSION__: string`); it is a string literal in the output.
 * @throws MoultError ERR_BUILD_FAILED when the bundler reports an error
 */
export async function bundleScript(options: BundleScriptOptions): Promise<string> {
  // Real path: the bundler resolves links, and a path relative to the link would lead through the machine's directories.
  const cwd = await realpath(options.cwd ?? process.cwd())
  const given = resolve(cwd, options.entry)
  const entry = await realpath(given).catch(() => given)
  const esbuild = await import('esbuild')
  let result: BuildResult<{ write: false }>
  try {
    result = await esbuild.build({
      absWorkingDir: cwd,
      entryPoints: [entry],
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node20',
      format: 'iife',
      charset: 'utf8',
      minify: options.minify ?? false,
      banner: { js: BANNER },
      define: {
        ...options.define,
        ...OWN_DEFINES,
        __MOULT_VERSION__: JSON.stringify(options.version),
      },
      logLevel: 'silent',
    })
  } catch (cause) {
    if (!isBuildFailure(cause)) throw cause
    throw await buildError(options, cwd, entry, cause.errors, cause)
  }

  const fatal = result.warnings.filter((warning) => isMainCheck(warning, cwd, entry))
  if (fatal.length > 0) throw await buildError(options, cwd, entry, fatal)
  if (options.log !== undefined) {
    for (const line of await formatMessages(result.warnings, 'warning')) options.log(line)
  }

  const output = result.outputFiles[0]
  if (output === undefined) throw new MoultError('ERR_BUG', `the bundler gave no output: ${options.entry}`)
  return SHEBANG + output.text.replace(/^#!.*\n/, '')
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors)
}

/**
 * `if (import.meta.main)` in the agent's main file would be false in a bundle: a program that does nothing and exits 0.
 * In a dependency the same is right, because there it is never the main module.
 */
function isMainCheck(warning: Message, cwd: string, entry: string): boolean {
  const location = warning.location
  return (
    warning.id === 'empty-import-meta' &&
    location !== null &&
    resolve(cwd, location.file) === entry &&
    location.lineText.includes('import.meta.main')
  )
}

async function formatMessages(messages: Message[], kind: 'error' | 'warning'): Promise<string[]> {
  const { formatMessages: format } = await import('esbuild')
  return (await format(messages, { kind, color: false })).map((text) => text.trimEnd())
}

async function buildError(
  options: BundleScriptOptions,
  cwd: string,
  entry: string,
  messages: Message[],
  cause?: unknown,
): Promise<MoultError> {
  const formatted = await formatMessages(messages, 'error')
  const lines = messages.map(oneLine)
  const hint = hintFor(messages)
  return new MoultError('ERR_BUILD_FAILED', `cannot bundle ${relative(cwd, entry)}: ${lines.join('; ')}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { platform: options.platform, errors: formatted },
    cause,
  })
}

function oneLine({ location, text }: Message): string {
  return location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`
}

function hintFor(messages: Message[]): string | undefined {
  const texts = messages.map((message) => message.text).join('\n')
  if (texts.includes('Top-level await')) {
    return 'Move the awaiting code into `async function main()` and call `main()`; a bundle has no top-level await.'
  }
  if (texts.includes('"import.meta" is not available')) {
    return 'Start the agent unconditionally in its main file; a bundle has no `import.meta.main`.'
  }
  if (texts.includes('No loader is configured')) {
    return 'Native add-ons and other files cannot go into a bundle; use the build type `command` for such an agent.'
  }
  return undefined
}
