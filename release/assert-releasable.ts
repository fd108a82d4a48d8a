import { compareVersions, formatDate, MoultError, parseDate } from '../manifests/index.ts'
import type { Live } from './live.ts'

/**
 * Refuses what agents would refuse or misread: a version older than the live one, and a statement dated before the last.
 * @throws MoultError ERR_POLICY_REFUSED or ERR_TRUST_DATE
 */
export function assertReleasable(version: string, live: Live | undefined, now: number): void {
  if (live === undefined) return
  const { release } = live.manifest
  // Build metadata does not order versions, so 1.0.0+2 is not newer than 1.0.0+1.
  const isNewer = compareVersions(version, release.version) > 0
  if (!isNewer && version !== release.version) {
    throw new MoultError('ERR_POLICY_REFUSED', `not newer than the live ${release.version}: ${version}`, {
      hint: 'Agents do not go back by themselves: send them with `moult rollback`, or release the old code under a new version.',
      details: { version, live: release.version },
    })
  }
  assertAfter(live, now)
}

/** Refuses a statement that would be dated before the last. @throws MoultError ERR_TRUST_DATE */
export function assertAfter({ manifest: { rollout } }: Live, now: number): void {
  const issued = parseDate(rollout.issued) ?? 0
  if (Math.floor(now / 1000) * 1000 < issued) {
    throw new MoultError(
      'ERR_TRUST_DATE',
      `this clock says ${formatDate(now)}; the live manifest is of ${rollout.issued}`,
      {
        hint: 'Set the clock of this machine.',
        details: { now: formatDate(now), issued: rollout.issued },
      },
    )
  }
}

/**
 * Refuses bounds that no agent could meet by this release: a minimum or a floor above its own version.
 * @throws MoultError ERR_USAGE_INVALID
 */
export function assertBounds(version: string, bounds: Readonly<Record<string, string | undefined>>): void {
  for (const [option, bound] of Object.entries(bounds)) {
    if (bound === undefined || compareVersions(bound, version) <= 0) continue
    throw new MoultError('ERR_USAGE_INVALID', `--${option}: expected at most ${version}, got ${bound}`, {
      hint: 'It would name a version that this release does not bring.',
      details: { option, version, bound },
    })
  }
}
