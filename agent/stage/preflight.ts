import { spawn } from 'node:child_process'

import { MoultError } from '../../manifests/index.ts'

const PREFLIGHT_MS = 20_000

/**
 * Runs the new program once, e.g. with `--version`, before anything depends on it: a file for another processor, a
 * missing interpreter or a volume that forbids execution is found while the old version still runs.
 *
 * @throws MoultError ERR_STAGE_PREFLIGHT
 */
export async function preflight(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
  limitMs = PREFLIGHT_MS,
): Promise<void> {
  if (args.length === 0) return
  const words = args.join(' ')
  const outcome = await new Promise<string | undefined>((resolve) => {
    const child = spawn(program, args, {
      stdio: 'ignore',
      env: { ...process.env, MOULT_PREFLIGHT: '1' },
      killSignal: 'SIGKILL',
      ...(signal === undefined ? {} : { signal }),
    })
    let isLate = false
    // Not the option of spawn(): its timer runs on, and holds the process, after a program that cannot be executed.
    const limit = setTimeout(() => (isLate = child.kill('SIGKILL')), limitMs)
    const end = (result: string | undefined): void => {
      clearTimeout(limit)
      resolve(result)
    }
    child.once('error', ({ message }) => end(`it cannot be executed: ${message}`))
    child.once('exit', (code, killedBy) => {
      if (code === 0) end(undefined)
      else if (isLate) end(`${words} did not end within ${limitMs / 1000} s`)
      else end(`${words} ended with ${killedBy ?? `exit status ${code}`}`)
    })
  })
  signal?.throwIfAborted()
  if (outcome === undefined) return
  throw new MoultError('ERR_STAGE_PREFLIGHT', `the new program does not start here: ${outcome}`, {
    details: { args, outcome },
    hint: 'It must answer these arguments with exit status 0. Others, or none ([]), are set by "preflight" in <home>/agent.json.',
  })
}
