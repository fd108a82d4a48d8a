import type { ReleaseEvent } from '../release/index.ts'

const BAR_WIDTH = 20

export interface Progress {
  readonly on: (event: ReleaseEvent) => void
  /** Leaves the lines as they are; what is printed afterwards stands below them. */
  readonly end: () => void
}

/**
 * Shows events on stderr: one line a platform that tells its steps, on a terminal only; notes and builders' warnings
 * always.
 */
export function showProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const isLive = stream.isTTY && process.env['TERM'] !== 'dumb'
  const lines = new Map<string, string[]>()
  const told = new Set<string>()
  let shown = 0

  const erase = (): void => {
    if (shown > 0) stream.write(`\u001B[${shown}A\u001B[J`)
    shown = 0
  }
  const draw = (): void => {
    const width = stream.columns > 20 ? stream.columns - 1 : 79
    for (const [subject, steps] of lines)
      stream.write(`${`  ${subject.padEnd(16)}${steps.join(', ')}`.slice(0, width)}\n`)
    shown = lines.size
  }
  const print = (text: string): void => {
    // Four platforms give the same warning four times.
    if (told.has(text)) return
    told.add(text)
    if (isLive) erase()
    stream.write(`${text}\n`)
    if (isLive) draw()
  }

  return {
    on(event) {
      if (event.kind === 'note') print(`note: ${event.text}`)
      else if (event.kind === 'output') print(event.text)
      else if (isLive) {
        const isFile = event.step === 'publish' || event.subject.includes('.')
        const steps = isFile ? [event.subject] : [...(lines.get(event.subject) ?? [])]
        if (event.kind === 'progress') steps.unshift(barOf(event.doneBytes, event.totalBytes))
        else if (!isFile && event.state === 'started') steps.push(event.step)
        erase()
        lines.set(isFile ? event.step : event.subject, steps)
        draw()
      }
    },
    end() {
      shown = 0
      lines.clear()
    },
  }
}

function barOf(doneBytes: number, totalBytes: number): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes)
  const filled = Math.floor(share * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %`
}
