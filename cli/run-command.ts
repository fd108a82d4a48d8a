import { constants } from 'node:os'

import { reportError } from './report-error.ts'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A terminal signals `npx` and this process, and `npx` passes its own on: what comes so soon is the same signal. */
const ECHO_MS = 1000

/**
 * Runs the work of a command and sets the exit status: 0, what the work returns, or that of its error. SIGINT, SIGTERM
 * and SIGHUP abort the signal; work that ends because of it gives 128 and the number of the signal, as shells expect.
 */
export async function runCommand(
  { json = false }: { json?: boolean },
  work: (signal: AbortSignal) => Promise<number | void>,
): Promise<void> {
  const stop = new AbortController()
  let received: (typeof STOP_SIGNALS)[number] | undefined
  let receivedMs = 0
  const onSignal = (name: NodeJS.Signals): void => {
    if (received === undefined) {
      received = STOP_SIGNALS.find((each) => each === name)
      receivedMs = performance.now()
      stop.abort()
    } else if (performance.now() - receivedMs > ECHO_MS) {
      // The second time the user means it: the default action ends the process at once, and nothing is cleaned up.
      for (const each of STOP_SIGNALS) process.removeListener(each, onSignal)
      process.kill(process.pid, name)
    }
  }
  for (const name of STOP_SIGNALS) process.on(name, onSignal)
  try {
    process.exitCode = (await work(stop.signal)) ?? 0
  } catch (error) {
    if (received === undefined) {
      process.exitCode = reportError(error, json)
    } else {
      console.error(`stopped by ${received}`)
      process.exitCode = 128 + constants.signals[received]
    }
  } finally {
    // After a signal its echo may still come, and must not take the exit status away.
    if (received === undefined) for (const name of STOP_SIGNALS) process.removeListener(name, onSignal)
  }
}
