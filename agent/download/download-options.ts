import type { AgentEvent } from '../events/events.ts'

export interface DownloadOptions {
  readonly base: URL
  readonly userAgent: string
  readonly secretHeaders?: Readonly<Record<string, string>> | undefined
  readonly timeoutMs: number
  readonly retries: number
  readonly stallMs?: number | undefined
  /** Bytes a second; no limit when absent. */
  readonly rateLimit?: number | undefined
  /** Largest artifact that is taken, in bytes. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  readonly emit: (event: AgentEvent) => void
}

/** One way to get an artifact. */
export interface Source {
  readonly url: string
  readonly size: number
  readonly sha256: string
  readonly encoding?: 'br'
}
