// What a release was built from, and where: the commit, the pinned inputs, the job. It is what this machine says of itself.

import { readFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { execa } from 'execa'

import { sha256 } from '../../manifests/index.ts'
import { CONFIG_FILE } from '../config.ts'
import type { Project } from '../open-project.ts'
import { withoutKeys } from '../signers/open-signer.ts'
import type { Environment, Surroundings } from '../surroundings.ts'

export const LOCK_FILE = 'package-lock.json'

export interface BuildOrigin {
  /** Undefined where no repository is known. */
  readonly source?: { readonly uri?: string; readonly commit?: string; readonly isModified: boolean }
  /** Files that decide the build, with their SHA-256. */
  readonly inputs: readonly { readonly name: string; readonly sha256: string }[]
  readonly lockText?: string
  readonly builder: string
  /** URL of the job. */
  readonly invocation?: string
}

/** Read before the build, which may change files of the project. Never fails: what cannot be known is left out. */
export async function readBuildOrigin(
  { dir, config }: Pick<Project, 'dir' | 'config'>,
  configFile: string = CONFIG_FILE,
  around: Surroundings,
): Promise<BuildOrigin> {
  const [configText, lockText] = await Promise.all([readText(resolve(configFile)), readText(join(dir, LOCK_FILE))])
  const job = jobOf(around.env)
  const source = await readSource(dir, job, { env: withoutKeys(around.env, config), signal: around.signal })
  const inputs = [
    { name: basename(configFile), text: configText },
    { name: LOCK_FILE, text: lockText },
  ]
  return {
    ...(source === undefined ? {} : { source }),
    inputs: inputs.flatMap(({ name, text }) =>
      text === undefined ? [] : [{ name, sha256: sha256(Buffer.from(text)) }],
    ),
    ...(lockText === undefined ? {} : { lockText }),
    builder: job.builder,
    ...(job.invocation === undefined ? {} : { invocation: job.invocation }),
  }
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

interface Job {
  readonly builder: string
  readonly invocation?: string
  readonly repository?: string
  readonly commit?: string | undefined
}

function jobOf(env: Environment): Job {
  if (env['GITHUB_ACTIONS'] === 'true' && env['GITHUB_REPOSITORY'] !== undefined) {
    const server = env['GITHUB_SERVER_URL'] ?? 'https://github.com'
    const repository = `${server}/${env['GITHUB_REPOSITORY']}`
    return {
      builder: env['GITHUB_WORKFLOW_REF'] === undefined ? repository : `${server}/${env['GITHUB_WORKFLOW_REF']}`,
      invocation: `${repository}/actions/runs/${env['GITHUB_RUN_ID'] ?? '0'}/attempts/${env['GITHUB_RUN_ATTEMPT'] ?? '1'}`,
      repository,
      commit: env['GITHUB_SHA'],
    }
  }
  if (env['GITLAB_CI'] === 'true' && env['CI_PROJECT_URL'] !== undefined) {
    const { CI_PROJECT_URL: repository, CI_JOB_URL: invocation, CI_RUNNER_ID: runner, CI_COMMIT_SHA: commit } = env
    return {
      builder: `${repository}/-/runners/${runner ?? '0'}`,
      ...(invocation === undefined ? {} : { invocation }),
      repository,
      commit,
    }
  }
  return { builder: 'urn:moult:builder:local' }
}

async function readSource(
  dir: string,
  job: Job,
  { env, signal }: { env: Environment; signal: AbortSignal },
): Promise<BuildOrigin['source']> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    const run = await execa('git', args, { cwd: dir, env, extendEnv: false, cancelSignal: signal, reject: false })
    return run.failed ? undefined : run.stdout.trim()
  }
  const found = await git('rev-parse', 'HEAD')
  signal.throwIfAborted()
  const commit = found ?? job.commit
  if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) return undefined
  const uri = sourceUri(job.repository ?? (found === undefined ? undefined : await git('remote', 'get-url', 'origin')))
  const changes = found === undefined ? '' : await git('status', '--porcelain', '--untracked-files=no')
  return { ...(uri === undefined ? {} : { uri }), commit, isModified: changes !== '' }
}

/** A remote as a URI, without user and password; undefined for a folder of this machine, which is nobody's business. */
export function sourceUri(remote: string | undefined): string | undefined {
  const [, host, path] = /^(?:[\w.-]+@)?([\w.-]+\.[\w.-]+):(?!\/\/)(.+)$/.exec(remote ?? '') ?? []
  if (host !== undefined) return `git+ssh://${host}/${path}`
  if (remote === undefined || !URL.canParse(remote)) return undefined
  const { protocol, host: server, pathname } = new URL(remote)
  return /^(?:https?|ssh|git):$/.test(protocol) ? `git+${protocol}//${server}${pathname}` : undefined
}
