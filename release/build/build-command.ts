import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { execa, parseCommandString } from 'execa'

import { MoultError } from '../../manifests/index.ts'
import type { BuildConfig } from '../config.ts'
import { shellWord } from '../shell-word.ts'
import { withoutKeys } from '../signers/open-signer.ts'
import type { Surroundings } from '../surroundings.ts'
import { fillPath, fillWord, type Placeholders } from '../template.ts'
import type { Built, BuildTask } from './build-artifacts.ts'
import { endGroupOnAbort } from './end-group-on-abort.ts'
import { checkExecutable } from './locate-file.ts'

type CommandBuild = Extract<BuildConfig, { type: 'command' }>

const OUTPUT_MAX_CHARS = 16_000

/** Runs the user's own command and takes the file that it wrote. @throws MoultError ERR_BUILD_FAILED */
export async function buildCommand(build: CommandBuild, task: BuildTask, around: Surroundings): Promise<Built> {
  const { project, platform } = task
  const out =
    build.output === undefined
      ? join(task.scratch, `${project.name}${task.values.exe}`)
      : resolve(project.dir, fillPath(build.output, task.values))
  await mkdir(dirname(out), { recursive: true })
  await runCommand(build, { ...task.values, out }, task, around)
  await checkExecutable(out, platform, 'Does the command write to {out}, or to `output` of the configuration?')
  return { kind: 'file', platform, path: out }
}

async function runCommand(
  build: CommandBuild,
  values: Placeholders,
  task: BuildTask,
  around: Surroundings,
): Promise<void> {
  const [file = '', ...args] = commandWords(build, values)
  const child = execa(file, args, {
    cwd: task.project.dir,
    env: { ...withoutKeys(around.env, task.project.config), ...buildVariables(values) },
    extendEnv: false,
    preferLocal: true,
    shell: build.shell ?? false,
    stdin: 'ignore',
    all: true,
    reject: false,
    detached: process.platform !== 'win32',
  })
  const done = endGroupOnAbort(child.pid, around.signal)
  const result = await child
  done()
  around.signal.throwIfAborted()
  if (!result.failed) return
  const output = (result.all ?? '').slice(-OUTPUT_MAX_CHARS)
  const reason =
    result.exitCode === undefined ? (result.originalMessage ?? result.shortMessage) : `exit status ${result.exitCode}`
  throw new MoultError('ERR_BUILD_FAILED', `the build command failed (${reason}): ${task.platform}`, {
    hint: result.exitCode === undefined ? 'Is the program installed, and in PATH?' : 'Its output is shown above.',
    details: { platform: task.platform, command: result.command, ...(output === '' ? {} : { output }) },
  })
}

/** Placeholders are filled after the split, so that a value with a space stays one word. */
function commandWords(build: CommandBuild, values: Placeholders): string[] {
  if (build.shell === true && typeof build.command === 'string') return [fillWord(build.command, quoted(values))]
  const words = typeof build.command === 'string' ? parseCommandString(build.command) : build.command
  return words.map((word) => fillWord(word, values))
}

function quoted(values: Placeholders): Placeholders {
  // An empty value, such as {exe}, is no word of its own.
  const quote = (text: string): string => (text === '' ? '' : shellWord(text))
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, quote(value)])) as Placeholders
}

function buildVariables({ os, arch, platform, version, out = '' }: Placeholders): Record<string, string> {
  return {
    MOULT_OS: os,
    MOULT_ARCH: arch,
    MOULT_PLATFORM: platform,
    MOULT_VERSION: version,
    MOULT_OUT: out,
    GOOS: os,
    GOARCH: arch,
  }
}
