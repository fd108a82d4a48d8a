import {
  CHANGELOG_MAX_CHARS,
  isVersion,
  MoultError,
  parseContainerImage,
  parseDuration,
  ROLLOUT_LIFETIME_MAX_MS,
  shape,
} from '../manifests/index.ts'
import type { VersionChoice } from './choose-version.ts'
import { channelShape, type Config } from './config.ts'
import { DEFAULT_CHANNEL } from './layout.ts'
import type { ReleaseNotes } from './release-document.ts'
import { DEFAULT_EXPIRES } from './rollout-statement.ts'
import { parseStages, type StageOffset } from './stages.ts'

/** What the caller of a release decides. Everything left out comes from the configuration. */
export interface ReleaseOptions extends VersionChoice, ReleaseNotes {
  /** The configuration file; default `moult.config.json` in the working directory. */
  readonly config?: string | undefined
  readonly channel?: string | undefined
  /** Share of the fleet, 0 to 100, from the start. */
  readonly percent?: number | undefined
  /** E.g. `0h:5%,24h:25%,48h:100%`. */
  readonly stages?: string | undefined
  /** How long the rollout statement is good, e.g. `90d`. */
  readonly expires?: string | undefined
  readonly baseUrl?: string | undefined
  /** False: publish the release and no manifest, so that only the release key is needed and nobody gets it yet. */
  readonly rollout?: boolean | undefined
  /** Do everything but publish. */
  readonly plan?: boolean | undefined
}

export interface ReleaseTerms extends ReleaseNotes {
  readonly channel: string
  readonly stages: readonly StageOffset[]
  /** A duration such as `90d`. */
  readonly expires: string
  readonly baseUrl: string | undefined
}

/** Options over configuration over defaults. @throws MoultError ERR_USAGE_INVALID */
export function termsOf(options: ReleaseOptions, config: Config): ReleaseTerms {
  const { changelog, minVersion, rollbackFloor, containerImage } = options
  for (const [name, version] of [
    ['min-version', minVersion],
    ['rollback-floor', rollbackFloor],
  ] as const) {
    if (version !== undefined && !isVersion(version))
      throw usage(`--${name}`, 'a semantic version such as 1.4.2', version)
  }
  if (containerImage !== undefined && parseContainerImage(containerImage) === undefined)
    throw usage('--container-image', 'an image by its digest, <repository>[:<tag>]@sha256:<64 digits>', containerImage)
  if (changelog !== undefined && changelog.length > CHANGELOG_MAX_CHARS) {
    throw usage('--notes', `at most ${CHANGELOG_MAX_CHARS} characters`, String(changelog.length))
  }
  const expires = options.expires ?? config.rollout?.expires ?? DEFAULT_EXPIRES
  const lifetimeMs = parseDuration(expires) ?? 0
  if (lifetimeMs <= 0 || lifetimeMs > ROLLOUT_LIFETIME_MAX_MS)
    throw usage('--expires', 'a duration such as 90d, of at most 400d', expires)
  const baseUrl = options.baseUrl ?? config.baseUrl
  if (baseUrl !== undefined && !/^https?:\/\/[!-[\]-~]+$/.test(baseUrl))
    throw usage('--base-url', 'an http or https URL', baseUrl)
  return {
    channel: channelOf(options.channel ?? config.channel ?? DEFAULT_CHANNEL),
    stages: stagesOf(options, config),
    expires,
    baseUrl,
    // A file from Windows or an editor: the strict profile knows line feeds only by choice, readers expect no others.
    changelog: changelog?.replaceAll('\r\n', '\n').trim(),
    minVersion,
    rollbackFloor,
    containerImage,
  }
}

function channelOf(text: string): string {
  try {
    return channelShape.check(text, '--channel')
  } catch (error) {
    if (error instanceof shape.ShapeMismatch) throw usage('--channel', error.expected, error.got)
    throw error
  }
}

/** An option of either kind puts aside both kinds of the configuration. */
function stagesOf({ percent, stages }: ReleaseOptions, { rollout }: Config): StageOffset[] {
  if (percent !== undefined && stages !== undefined) throw usage('--percent', 'no --stages beside it', '--stages')
  if (percent !== undefined && !(Number.isInteger(percent) && percent >= 0 && percent <= 100)) {
    throw usage('--percent', 'a whole number from 0 to 100', String(percent))
  }
  const text = stages ?? (percent === undefined ? rollout?.stages : undefined)
  if (text === undefined) return [{ afterMs: 0, percent: percent ?? rollout?.percent ?? 100 }]
  const parsed = parseStages(text)
  if (parsed === undefined) throw usage('--stages', 'later and larger stages such as 0h:5%,24h:25%,48h:100%', text)
  return parsed
}

function usage(path: string, expected: string, got: string): MoultError {
  return new MoultError('ERR_USAGE_INVALID', `${path}: expected ${expected}, got ${got}`, {
    details: { path, expected, got },
  })
}
