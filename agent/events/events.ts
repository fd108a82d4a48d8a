// What an updater tells its host: typed events, and one line for each, for people or for machines.

import type { Decision, Flags, HookName } from '../../manifests/index.ts'

export type AgentEvent =
  | { readonly kind: 'started'; readonly version: string; readonly url: string; readonly intervalMs: number }
  /** `isRepeat`: the same decision as at the poll before; `intervalMs`: between polls from now on. */
  | {
      readonly kind: 'checked'
      readonly decision: Decision
      readonly sequence: number
      readonly intervalMs?: number
      readonly isRepeat?: boolean
    }
  /** `isQuiet`: an old copy of the manifest, as the edge of a cache serves it for a while; an alarm if it stays. */
  | { readonly kind: 'check-failed'; readonly error: unknown; readonly nextMs?: number; readonly isQuiet?: boolean }
  | {
      readonly kind: 'update-found'
      readonly version: string
      readonly running: string
      readonly reason: string
      readonly bytes: number
    }
  /** An update that this machine may have, and that the updater leaves to others. `isRepeat`: as at the poll before. */
  | {
      readonly kind: 'update-available'
      readonly version: string
      readonly running?: string
      readonly reason: string
      readonly image?: string
      readonly isRepeat?: boolean
    }
  /** At the start, when there are any, and when they have changed. */
  | { readonly kind: 'flags-changed'; readonly flags: Flags; readonly sequence: number }
  /** A person lets an update in. */
  | { readonly kind: 'approved'; readonly version: string; readonly sha256: string }
  | { readonly kind: 'download-progress'; readonly received: number; readonly total: number }
  | { readonly kind: 'download-interrupted'; readonly attempt: number; readonly error: unknown }
  /** `source`: `delta`, the encoding, or `whole`. */
  | { readonly kind: 'download-failed'; readonly source: string; readonly error: unknown }
  | { readonly kind: 'downloaded'; readonly version: string; readonly source: string; readonly bytes: number }
  | { readonly kind: 'staged'; readonly version: string }
  | { readonly kind: 'swapped'; readonly version: string; readonly previous?: string | undefined }
  | { readonly kind: 'trial'; readonly version: string; readonly started: number; readonly tries: number }
  | { readonly kind: 'confirmed'; readonly version: string }
  | { readonly kind: 'hook-done'; readonly version: string; readonly hook: HookName; readonly ms: number }
  | { readonly kind: 'hook-failed'; readonly version: string; readonly hook: HookName; readonly error: unknown }
  | { readonly kind: 'rolled-back'; readonly version: string; readonly to: string; readonly reason: string }
  /** These bytes are not tried again, for a day or for good. */
  | { readonly kind: 'quarantined'; readonly version: string; readonly sha256: string; readonly reason: string }
  | { readonly kind: 'program-started'; readonly version: string; readonly pid: number }
  | { readonly kind: 'program-exited'; readonly version: string; readonly status: string }
  | { readonly kind: 'warning'; readonly message: string }

/** Events that only matter while someone watches. */
export function isDetail(event: AgentEvent): boolean {
  if (event.kind === 'update-available') return event.isRepeat === true
  if (event.kind === 'checked') return event.isRepeat === true || event.decision.kind === 'install'
  if (event.kind === 'download-progress' || event.kind === 'downloaded') return true
  return event.kind === 'check-failed' && event.isQuiet === true
}

/** What a decision comes down to: two with the same key are the same news. */
export function decisionKey(decision: Decision): string {
  const version = 'version' in decision ? decision.version : ''
  return `${decision.kind} ${version} ${'reason' in decision ? decision.reason : ''}`
}
