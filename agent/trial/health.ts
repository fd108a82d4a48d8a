import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

import { discardBody, httpGet } from '../poll/http.ts'

/** True while the program is healthy. Never rejects; a check that hangs or throws counts as unhealthy. */
export type HealthCheck = (signal: AbortSignal) => Promise<boolean>

const CHECK_MS = 10_000

/** The checks of the settings and the host program's own, as one; undefined when there is none. */
export function healthCheckOf(
  settings: { readonly url?: string; readonly command?: readonly string[] },
  own?: () => boolean | Promise<boolean>,
): HealthCheck | undefined {
  const checks: ((signal: AbortSignal) => Promise<boolean>)[] = []
  const { url, command } = settings
  if (url !== undefined) checks.push((signal) => isAnswering(url, signal))
  if (command !== undefined) checks.push((signal) => isSucceeding(command, signal))
  if (own !== undefined) checks.push(async () => (await own()) === true)
  if (checks.length === 0) return undefined
  return async (signal) => {
    const results = await Promise.all(checks.map((check) => withinTime(check, signal)))
    return results.every(Boolean)
  }
}

async function withinTime(check: (signal: AbortSignal) => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(CHECK_MS, false, { signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([check(AbortSignal.any([signal, timer.signal])), late])
  } catch {
    return false
  } finally {
    timer.abort()
  }
}

async function isAnswering(url: string, signal: AbortSignal): Promise<boolean> {
  const target = new URL(url)
  const response = await httpGet(target, { base: target, signal })
  discardBody(response)
  return response.status >= 200 && response.status < 300
}

async function isSucceeding(command: readonly string[], signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore', signal, killSignal: 'SIGKILL' })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}
