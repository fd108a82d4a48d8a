// Programs from inside a verified release that are run once at its update: `pre_update` before the swap, `post_update`
// when the new version runs on trial. Either may be cut off and run again, so each has to bear that.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Readable } from 'node:stream'

import { type HookName, isMoultError, MoultError } from '../../manifests/index.ts'
import { replaceFile } from '../home/durable-file.ts'
import { type Home, versionDirectory } from '../home/home.ts'
import type { LaunchRecord } from '../home/launch-record.ts'
import { formatReceipt, readReceipt, RECEIPT_NAME } from '../home/receipt.ts'
import type { Settings } from '../settings/settings.ts'
import type { UpdateDeps } from '../update.ts'

/** How much of what a hook prints is kept: the end of it. */
const OUTPUT_MAX_BYTES = 4096
/** For the last of the output; a process that a hook leaves behind may hold the pipe open for ever. */
const OUTPUT_GRACE_MS = 500
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface HookRun {
  readonly home: Home
  readonly hook: HookName
  /** The directory of the new version. */
  readonly directory: string
  /** Path of the hook in there. */
  readonly path: string
  readonly version: string
  readonly previous: string
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * @throws MoultError ERR_STAGE_HOOK, with the end of its output in `details.output`; or the reason of the signal
 */
export async function runHook(run: HookRun): Promise<void> {
  const { hook, version, signal } = run
  signal?.throwIfAborted()
  const { outcome, output } = await endOf(run)
  signal?.throwIfAborted()
  if (outcome === undefined) return
  const lastLine =
    output
      .trimEnd()
      .split('\n')
      .at(-1)
      ?.replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 200) ?? ''
  throw new MoultError('ERR_STAGE_HOOK', `the ${hook} hook of the release ${outcome}: ${version}`, {
    details: { hook, version, outcome, output },
    ...(lastLine === '' ? {} : { hint: `It said: ${lastLine}` }),
  })
}

/**
 * Runs the `post_update` hook of the version that is on trial, unless it has been run to its end before. The caller
 * holds the lock.
 *
 * @returns false when it failed: the version is to be rolled back
 */
export async function runPostUpdate(settings: Settings, record: LaunchRecord, deps: UpdateDeps): Promise<boolean> {
  const { home, installTimeoutMs: limitMs } = settings
  const { version, previous } = record
  const receipt = readReceipt(home, version)
  if (receipt?.postUpdate === undefined || previous === undefined) return true
  const hook = 'post_update'
  const directory = versionDirectory(home, version)
  const path = join(directory, receipt.postUpdate)
  const startedMs = performance.now()
  try {
    await runHook({ home, hook, directory, path, version, previous, limitMs, signal: deps.signal })
  } catch (error) {
    if (!isMoultError(error)) throw error
    deps.emit({ kind: 'hook-failed', version, hook, error })
    return false
  }
  deps.emit({ kind: 'hook-done', version, hook, ms: Math.round(performance.now() - startedMs) })
  try {
    const { postUpdate: _, ...done } = receipt
    replaceFile(home.disk, join(directory, RECEIPT_NAME), formatReceipt(done), 0o644)
  } catch (error) {
    // It only runs once more at the next start.
    deps.emit({ kind: 'warning', message: `cannot note that ${hook} was run: ${(error as Error).message}` })
  }
  return true
}

/** @returns how it ended, undefined when well; and the end of what it printed */
async function endOf(run: HookRun): Promise<{ outcome: string | undefined; output: string }> {
  let output = Buffer.alloc(0)
  const child = spawn(run.path, [], {
    cwd: run.directory,
    env: environmentOf(run),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that all of it ends with the time limit.
    detached: process.platform !== 'win32',
  })
  // Without a descriptor left there are none, and the error comes as an event that has to be listened to.
  const streams: readonly (Readable | undefined)[] = [child.stdout, child.stderr]
  for (const stream of streams)
    stream?.on('data', (bytes: Buffer) => (output = Buffer.concat([output, bytes]).subarray(-OUTPUT_MAX_BYTES)))
  let isLate = false
  const end = (): void => killGroup(child)
  const limit = setTimeout(() => {
    isLate = true
    end()
  }, run.limitMs)
  run.signal?.addEventListener('abort', end, { once: true })
  process.once('exit', end)
  const outcome = await new Promise<string | undefined>((resolve) => {
    child.once('error', ({ message }) => resolve(`cannot be run: ${message}`))
    child.once('exit', (code, killedBy) => {
      const ending = killedBy ?? `exit status ${code}`
      const result = isLate ? `did not end within ${run.limitMs / 1000} s` : `ended with ${ending}`
      const settled = code === 0 && !isLate ? undefined : result
      const grace = setTimeout(() => resolve(settled), OUTPUT_GRACE_MS)
      child.once('close', () => {
        clearTimeout(grace)
        resolve(settled)
      })
    })
  })
  clearTimeout(limit)
  run.signal?.removeEventListener('abort', end)
  process.removeListener('exit', end)
  for (const stream of streams) stream?.destroy()
  return { outcome, output: output.toString('utf8') }
}

/** Nothing of the agent's own: its environment may hold secrets, and what a hook does must not hang on where it runs. */
function environmentOf({ home, hook, version, previous }: HookRun): NodeJS.ProcessEnv {
  const { PATH = PATH_DEFAULT, HOME, LANG } = process.env
  return {
    PATH,
    ...(HOME === undefined ? {} : { HOME }),
    ...(LANG === undefined ? {} : { LANG }),
    MOULT_HOME: home.path,
    MOULT_VERSION: version,
    MOULT_PREVIOUS: previous,
    MOULT_HOOK: hook,
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It had ended at that moment.
  }
}
