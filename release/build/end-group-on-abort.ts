const KILL_DELAY_MS = 5_000

/**
 * Ends a child and all that it started when the signal aborts. The child MUST lead a process group of its own
 * (`detached`): a shell that is killed alone leaves its compiler behind, which holds the pipes open and writes on.
 * @returns call it when the child has ended
 */
export function endGroupOnAbort(pid: number | undefined, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    kill(pid, 'SIGTERM')
    timer = setTimeout(() => kill(pid, 'SIGKILL'), KILL_DELAY_MS)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    // Windows has no groups.
    process.kill(process.platform === 'win32' ? pid : -pid, signal)
  } catch {
    // It has ended already.
  }
}
