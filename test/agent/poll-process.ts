// One poll in a process of its own: for limits, users and trust that a process has as a whole, and to be killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'

import { NOW } from './field.ts'

export interface PollProcess {
  readonly child: ChildProcess
  /** `swapped`, the kind of a decision, or code and message of the error; empty when it was killed. */
  readonly outcome: Promise<string>
}

export interface PollOptions {
  readonly home: string
  readonly server: string
  readonly env?: Readonly<Record<string, string>>
  /** Shell commands before it, such as `ulimit`. */
  readonly before?: string
  readonly uid?: number
  /** Statements inside the process, before the poll. */
  readonly inside?: string
}

export function startPoll(t: TestContext, options: PollOptions): PollProcess {
  const { home, server, env = {}, before = '', uid, inside = '' } = options
  const at = (path: string): string => JSON.stringify(import.meta.resolve(path))
  const script = `
    import { loadSettings } from ${at('../../agent/settings/settings.ts')}
    import { update } from ${at('../../agent/update.ts')}
    import { withLock } from ${at('../../agent/home/lock.ts')}
    const settings = loadSettings(${JSON.stringify(home)}, {}, { server: ${JSON.stringify(server)}, retries: 0 })
    const deps = { clock: () => ${NOW}, emit: () => undefined }
    ${inside}
    const done = await withLock(settings.home, () => update(settings, { apply: true }, deps)).catch((error) => error)
    console.log(done.decision?.kind ?? done.kind ?? (done.code ?? 'untyped') + ' ' + done.message)`
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script]
  const child = spawn('sh', ['-c', `${before}\nexec "$@"`, 'sh', ...node], {
    cwd: '/',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  t.after(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { child, outcome: once(child, 'close').then(() => Buffer.concat(chunks).toString().trim()) }
}

/** For `inside`: the poll goes no further than the making of a file whose path ends like this. */
export function stuckAt(ending: string): string {
  return `
    const { disk } = await import(${JSON.stringify(import.meta.resolve('../../agent/home/disk.ts'))})
    const { homeAt } = await import(${JSON.stringify(import.meta.resolve('../../agent/home/home.ts'))})
    const create = async (path, mode) => {
      if (path.endsWith(${JSON.stringify(ending)})) await new Promise(() => setInterval(() => undefined, 60_000))
      return disk.create(path, mode)
    }
    Object.assign(settings, { home: homeAt(settings.home.path, { ...disk, create }) })`
}
