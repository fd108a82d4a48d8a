import type { AgentEvent } from '../events/events.ts'
import type { InstalledArtifact } from '../home/installed-artifacts.ts'

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
  /** Called with true for a delta that is not to be tried here again, also before one is applied; false takes it back. */
  readonly noteDelta?: (delta: Source, isUseless: boolean) => void
}

/** One way to get an artifact. */
export interface Source {
  readonly url: string
  readonly size: number
  readonly sha256: string
  readonly encoding?: 'br'
  /** Set for a delta: the hash of what it starts from, and the versions that should have come from that. */
  readonly from?: { readonly sha256: string; readonly installed: readonly InstalledArtifact[] }
}
