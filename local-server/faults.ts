// Bad networks for development: what an agent does on a slow or failing server should be seen before production.

import { setTimeout as sleep } from 'node:timers/promises'

const THROTTLE_STEPS_PER_SECOND = 10

export interface Faults {
  /** Wait before each answer. */
  latencyMs?: number
  /** Limit of the body of each response. */
  bytesPerSecond?: number
  /** Share of requests, 0 to 1, that are answered with 503. */
  failRate?: number
  /** For a repeatable run; default Math.random. */
  random?: () => number
}

export function assertFaults({ latencyMs = 0, bytesPerSecond = 1, failRate = 0 }: Faults): void {
  if (!(latencyMs >= 0)) throw new RangeError(`latencyMs must not be negative: ${latencyMs}`)
  if (!(bytesPerSecond >= 1)) throw new RangeError(`bytesPerSecond must be at least 1: ${bytesPerSecond}`)
  if (!(failRate >= 0 && failRate <= 1)) throw new RangeError(`failRate must be from 0 to 1: ${failRate}`)
}

export function failsNow({ failRate = 0, random = Math.random }: Faults): boolean {
  return random() < failRate
}

/** Ends early, and quietly, when the client is gone. */
export async function latency({ latencyMs = 0 }: Faults, gone: AbortSignal): Promise<void> {
  if (latencyMs > 0) await sleep(latencyMs, undefined, { signal: gone }).catch(() => {})
}

export function throttle({ bytesPerSecond }: Faults, chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return bytesPerSecond === undefined ? chunks : slowDown(chunks, bytesPerSecond)
}

async function* slowDown(chunks: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  const stepBytes = Math.max(1, Math.floor(bytesPerSecond / THROTTLE_STEPS_PER_SECOND))
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += stepBytes) {
      const piece = chunk.subarray(start, start + stepBytes)
      await sleep((piece.length / bytesPerSecond) * 1000)
      yield piece
    }
  }
}
