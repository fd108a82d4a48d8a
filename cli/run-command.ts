import { constants } from 'node:os'

import { reportError } from './report-error.ts'

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

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
  const onSignal = (name: NodeJS.Signals): void => {
    // The second time the user means it: the default action ends the process at once.
    for (const each of STOP_SIGNALS) process.removeListener(each, onSignal)
    received = STOP_SIGNALS.find((each) => each === name)
    stop.abort()
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
    for (const name of STOP_SIGNALS) process.removeListener(name, onSignal)
  }
}
