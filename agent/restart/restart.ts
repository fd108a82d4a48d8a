import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT_UPDATED } from '../../manifests/index.ts'

/** How long an agent may take to finish its work before a restart. */
export const DRAIN_TIMEOUT_MS = 30_000

/** Lets the agent finish its work, within bounds; a drain that fails or hangs does not stop the restart. */
export async function drain(
  beforeRestart: (() => void | Promise<void>) | undefined,
  limitMs = DRAIN_TIMEOUT_MS,
): Promise<void> {
  if (beforeRestart === undefined) return
  const done = new AbortController()
  try {
    const late = sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined)
    await Promise.race([beforeRestart(), late])
  } catch {
    // The agent's own error is its own to report; the update goes on.
  } finally {
    done.abort()
  }
}

/** Ends the process so that its supervisor starts the new version. Only after the launch record is durable. */
export function exitForUpdate(): never {
  process.exit(EXIT_UPDATED)
}
