// node --import watch-itself.mjs ...: when the process ends, its largest memory and how late its event loop was go as JSON into the
// file that BENCH_WATCH_FILE names.

import { readFileSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 1

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
process.once('exit', () => {
  delay.disable()
  // Not `resourceUsage().maxRSS`: that begins with what the process that started us had.
  const peakMb = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS)
  const lateMs = { p99: late(delay.percentile(99)), most: late(delay.max) }
  writeFileSync(process.env['BENCH_WATCH_FILE'] ?? '/dev/null', JSON.stringify({ peakMb, lateMs }))
})
