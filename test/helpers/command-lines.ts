import { readdirSync, readFileSync } from 'node:fs'

/** Samples the argument lists of all processes of this machine, which every user of it can read. */
export function watchCommandLines(everyMs = 3): { readonly seen: ReadonlySet<string>; readonly stop: () => void } {
  const seen = new Set<string>()
  const look = (): void => {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
      } catch {
        // It has ended meanwhile.
      }
    }
  }
  const timer = setInterval(look, everyMs)
  return { seen, stop: () => clearInterval(timer) }
}
