import { CHANGELOG_MAX_CHARS, isVersion, MoultError, parseContainerImage, shape } from '../manifests/index.ts'
import type { VersionChoice } from './choose-version.ts'
import { channelShape, type Config } from './config.ts'
import { DEFAULT_CHANNEL } from './layout.ts'
import type { ReleaseNotes } from './release-document.ts'
import { type DeltaOptions, type DeltaTerms, deltaTermsOf } from './deltas/delta-terms.ts'
import { type RolloutOptions, type RolloutTerms, rolloutTermsOf } from './rollout/rollout-terms.ts'

/** What the caller of a release decides. Everything left out comes from the configuration. */
export interface ReleaseOptions extends VersionChoice, ReleaseNotes, RolloutOptions, DeltaOptions {
  /** The configuration file; default `moult.config.json` in the working directory. */
  readonly config?: string | undefined
  readonly channel?: string | undefined
  readonly baseUrl?: string | undefined
  /** False: publish the release and no manifest, so that only the release key is needed and nobody gets it yet. */
  readonly rollout?: boolean | undefined
  /** Do everything but publish. */
  readonly plan?: boolean | undefined
}

export interface ReleaseTerms extends ReleaseNotes {
  readonly channel: string
  readonly rollout: RolloutTerms
  readonly baseUrl: string | undefined
  /** Undefined: none. */
  readonly deltas: DeltaTerms | undefined
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
  return {
    ...placeOf(options, config),
    rollout: rolloutTermsOf(options, config),
    deltas: deltaTermsOf(options, config),
    // A file from Windows or an editor: the strict profile knows line feeds only by choice, readers expect no others.
    changelog: changelog?.replaceAll('\r\n', '\n').trim(),
    minVersion,
    rollbackFloor,
    containerImage,
  }
}

/** Which channel, and what absolute URLs begin with. @throws MoultError ERR_USAGE_INVALID */
export function placeOf(
  options: Pick<ReleaseOptions, 'channel' | 'baseUrl'>,
  config: Config,
): Pick<ReleaseTerms, 'channel' | 'baseUrl'> {
  const baseUrl = options.baseUrl ?? config.baseUrl
  if (baseUrl !== undefined && !/^https?:\/\/[!-[\]-~]+$/.test(baseUrl))
    throw usage('--base-url', 'an http or https URL', baseUrl)
  return { channel: channelOf(options.channel ?? config.channel ?? DEFAULT_CHANNEL), baseUrl }
}

function channelOf(text: string): string {
  try {
    return channelShape.check(text, '--channel')
  } catch (error) {
    if (error instanceof shape.ShapeMismatch) throw usage('--channel', error.expected, error.got)
    throw error
  }
}

function usage(path: string, expected: string, got: string): MoultError {
  return new MoultError('ERR_USAGE_INVALID', `${path}: expected ${expected}, got ${got}`, {
    details: { path, expected, got },
  })
}
