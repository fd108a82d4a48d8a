import type { Platform } from '../manifests/index.ts'

export type StepName = 'build' | 'pack' | 'hash' | 'smoke' | 'compress' | 'delta' | 'publish' | 'read back' | 'remove'

/** What a caller may show while it waits. Nothing here is a secret, and nothing needs an answer. */
export type ReleaseEvent =
  | { readonly kind: 'step'; readonly step: StepName; readonly state: 'started' | 'done'; readonly subject: string }
  /** How far a file is on its way; the last one of each says all of it. */
  | {
      readonly kind: 'progress'
      readonly step: 'publish'
      readonly subject: string
      readonly doneBytes: number
      readonly totalBytes: number
    }
  /** A line of a builder that succeeded, e.g. a bundler's warning. */
  | { readonly kind: 'output'; readonly platform: Platform; readonly text: string }
  /** Something that a person should know although nothing failed. */
  | { readonly kind: 'note'; readonly text: string }
