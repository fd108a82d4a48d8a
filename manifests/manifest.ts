// The published file `version.json`: a release (immutable) and its rollout (mutable), each signed on its own (SPEC 3).

import { parseDuration } from './durations.ts'
import { flagsShape } from './flags.ts'
import { ATTACHMENTS_MAX, CHANGELOG_MAX_CHARS, DOWNLOADS_MAX, PLATFORMS_MAX } from './limits.ts'
import { PLATFORM_PATTERN } from './platform.ts'
import { releaseRefShape, rulesShape, stagesShape } from './rule.ts'
import {
  array,
  boolean,
  integer,
  object,
  oneOf,
  optional,
  parsed,
  record,
  type Shape,
  type ShapeOf,
  singleLine,
  string,
} from './shape.ts'
import { dateShape, hashShape, nameShape, urlShape, versionShape } from './statement.ts'

export const RELEASE_FORMAT = 'moult/1'
/** What `encoding` of a download says that has `from`: see SPEC.md, "Delta patches". */
export const DELTA_ENCODING = 'moult-delta-1'
export const ROLLOUT_FORMAT = 'moult-rollout/1'
/** Members of the manifest that the release signatures do not cover. */
export const RELEASE_UNSIGNED = ['signatures', 'rollout', 'trust'] as const
export const ROLLOUT_UNSIGNED = ['signatures'] as const

/** Relative, with `/`, inside the unpacked tree. */
export const entryPathShape: Shape<string> = string({
  pattern: /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9_+@.-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9_+@.-]+)*$/,
  max: 512,
  says: 'a relative path such as bin/agent',
})
const sizeShape = integer({ min: 1 })

const downloadShape = object(
  {
    url: urlShape,
    size: sizeShape,
    sha256: hashShape,
    /** How the bytes are encoded, e.g. `br`; agents pass over what they do not know. */
    encoding: optional(string({ max: 32 })),
    /** For a delta: the hash of the artifact that it starts from. */
    from: optional(hashShape),
  },
  { open: true },
)
/** Programs inside a tree that are run once at an update; see SPEC.md, "Hooks". */
const hooksShape = object(
  {
    /** Before the swap: its failure leaves the old version in place. */
    pre_update: optional(entryPathShape),
    /** When the new version runs on trial: its failure rolls back. */
    post_update: optional(entryPathShape),
  },
  { open: true },
)
const binaryShape = object(
  {
    url: urlShape,
    sha256: hashShape,
    size: sizeShape,
    /** How the artifact becomes files: one executable file (the default), or a tree packed as tar. */
    unpack: optional(oneOf('file', 'tar')),
    /** The program inside a tree. */
    entry: optional(entryPathShape),
    hooks: optional(hooksShape),
    downloads: optional(array(downloadShape, { max: DOWNLOADS_MAX })),
  },
  { open: true },
)

/** A file beside the artifacts that agents pass over: for auditors, controllers and people. */
const attachmentShape = object({ url: urlShape, sha256: hashShape, size: sizeShape }, { open: true })
const ATTACHMENT_NAME = /^[a-z][a-z0-9_]{0,63}$/

export const releaseShape = object(
  {
    format: oneOf(RELEASE_FORMAT),
    name: nameShape,
    version: versionShape,
    release_date: dateShape,
    min_version: optional(versionShape),
    rollback_floor: optional(versionShape),
    changelog: optional(string({ max: CHANGELOG_MAX_CHARS })),
    container_image: optional(singleLine(512)),
    binaries: record(PLATFORM_PATTERN, binaryShape, { max: PLATFORMS_MAX }),
    attachments: optional(record(ATTACHMENT_NAME, attachmentShape, { max: ATTACHMENTS_MAX })),
  },
  { open: true },
)

const durationShape = parsed((text) => (parseDuration(text) === undefined ? undefined : text), 'a duration such as 5m')

export const rolloutShape = object(
  {
    format: oneOf(ROLLOUT_FORMAT),
    name: nameShape,
    channel: nameShape,
    release: hashShape,
    sequence: integer({ min: 1 }),
    issued: dateShape,
    expires: dateShape,
    /** The last stage that has begun gives the percent; before the first one it is 0. */
    stages: stagesShape,
    /** How long the agents of a stage are spread over, from its beginning. */
    spread: optional(durationShape),
    /** Nobody installs this release. */
    paused: optional(boolean()),
    /** Since when; the stages that were to come after it come as much later once it goes on. */
    paused_since: optional(dateShape),
    /** What some agents get instead. */
    rules: optional(rulesShape),
    /** Feature flags of the channel. */
    flags: optional(flagsShape),
    /** What agents are offered that this release is held back from. */
    fallback: optional(releaseRefShape),
    /** What relative URLs begin at, seen from the manifest; its own directory when absent. */
    base: optional(string({ pattern: /^(?:\.\.\/){1,8}$/, says: '../, once or more' })),
    /** Salt of the buckets; the release's digest when absent, so that each release has other canaries. */
    salt: optional(singleLine(128)),
    /** Poll interval that the fleet should use, e.g. `5m`. */
    poll: optional(durationShape),
    /** Versions that must go back to this one. */
    rollback: optional(array(versionShape, { max: 64 })),
    /** SHA-256 of the manifest file before this one. */
    previous: optional(hashShape),
  },
  { open: true },
)

export type Release = ShapeOf<typeof releaseShape>
export type Rollout = ShapeOf<typeof rolloutShape>
export type Binary = ShapeOf<typeof binaryShape>
export type Attachment = ShapeOf<typeof attachmentShape>
export type Hooks = ShapeOf<typeof hooksShape>
export type HookName = keyof Hooks
export type Download = ShapeOf<typeof downloadShape>

export interface Manifest {
  readonly release: Release
  readonly rollout: Rollout
  /** SHA-256 of the release bytes: what the rollout statement is bound to. */
  readonly releaseDigest: string
  /** SHA-256 of the rollout bytes: what a sequence number stands for. */
  readonly rolloutDigest: string
}
