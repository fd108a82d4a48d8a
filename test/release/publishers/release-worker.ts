// A process that publishes releases on demand: one machine of a test that has two. Starting a process for each release
// would take longer than the race that is to be run.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { isMoultError } from '../../../manifests/index.ts'
import { release } from '../../../release/index.ts'

export interface Job {
  readonly config: string
  readonly version: string
  readonly env?: Readonly<Record<string, string>>
}

export type JobOutcome =
  | { readonly kind: 'published'; readonly sequence: number }
  | { readonly kind: 'failed'; readonly code: string; readonly exitCode: number; readonly message: string }

export interface Worker {
  readonly release: (job: Job) => Promise<JobOutcome>
  readonly end: () => void
}

export function startWorker(): Worker {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['worker'], { execArgv: ['--import', 'tsx'] })
  return {
    async release(job) {
      child.send(job)
      const [outcome] = (await once(child, 'message')) as [JobOutcome]
      return outcome
    },
    end: () => child.kill('SIGKILL'),
  }
}

async function run({ config, version, env = {} }: Job): Promise<JobOutcome> {
  try {
    const { rollout } = await release({ config, version }, { env })
    return { kind: 'published', sequence: rollout?.sequence ?? 0 }
  } catch (error) {
    if (!isMoultError(error)) throw error
    const { code, exitCode, message } = error
    return { kind: 'failed', code, exitCode, message }
  }
}

if (process.argv[2] === 'worker' && process.send !== undefined) {
  process.on('message', (job: Job) => {
    void run(job).then((outcome) => process.send?.(outcome))
  })
}
