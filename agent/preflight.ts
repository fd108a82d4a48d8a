import { spawn } from 'node:child_process'

import { MoultError } from '../manifests/index.ts'

const PREFLIGHT_MS = 20_000

/**
 * Runs the new program once, e.g. with `--version`, before anything depends on it: a file for another processor, a
 * missing interpreter or a volume that forbids execution is found while the old version still runs.
 *
 * @throws MoultError ERR_STAGE_PREFLIGHT
 */
export async function preflight(program: string, args: readonly string[], signal?: AbortSignal): Promise<void> {
  if (args.length === 0) return
  const outcome = await new Promise<string | undefined>((resolve) => {
    const child = spawn(program, args, {
      stdio: 'ignore',
      env: { ...process.env, MOULT_PREFLIGHT: '1' },
      timeout: PREFLIGHT_MS,
      killSignal: 'SIGKILL',
      ...(signal === undefined ? {} : { signal }),
    })
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, killedBy) => resolve(code === 0 ? undefined : (killedBy ?? `exit status ${code}`)))
  })
  signal?.throwIfAborted()
  if (outcome === undefined) return
  throw new MoultError('ERR_STAGE_PREFLIGHT', `the new program does not start here: ${args.join(' ')}: ${outcome}`, {
    details: { args, outcome },
    hint: 'A program must answer these arguments with exit status 0; set "preflight" to [] if it cannot.',
  })
}
