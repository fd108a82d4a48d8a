import {
  type JsonObject,
  parseStrictJson,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  statementDigest,
} from '../manifests/index.ts'
import { type Live, readAttempted } from './live.ts'
import { nextSequence } from './next-sequence.ts'
import { newestRoot, type Project } from './open-project.ts'
import type { LiveRollout, RolloutContext } from './rollout/compose-rollout.ts'
import type { References } from './rollout/rule-draft.ts'
import { signDocument } from './sign.ts'

/** What the next rollout statement of a channel is about, if it offers this release. */
export async function rolloutContext(
  release: JsonObject,
  channel: string,
  live: Live | undefined,
  project: Pick<Project, 'name' | 'publisher' | 'roots'>,
  now: number,
  references: References = new Map(),
): Promise<RolloutContext> {
  const attempted = await readAttempted(project.publisher, project.roots[0], channel)
  return {
    name: project.name,
    channel,
    version: release['version'] as string,
    release: statementDigest(release, RELEASE_UNSIGNED),
    sequence: nextSequence([live, attempted], newestRoot(project), now),
    previous: live?.sha256,
    live: live === undefined ? undefined : liveRolloutOf(live),
    references,
    now,
  }
}

/** The live statement with all its members, also those that are unknown here: what a person set MUST NOT be lost. */
export function liveRolloutOf({ bytes, manifest }: Live): LiveRollout {
  const { rollout } = parseStrictJson(bytes) as { rollout: LiveRollout['rollout'] }
  return { version: manifest.release.version, release: manifest.releaseDigest, rollout }
}

/** @throws MoultError ERR_TRUST_SIGNATURE or ERR_CONFIG_KEY */
export function signRollout(statement: JsonObject, { signers }: Pick<Project, 'signers'>): Promise<JsonObject> {
  return signDocument(statement, ROLLOUT_UNSIGNED, signers.rollout)
}
