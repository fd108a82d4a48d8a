import {
  formatDate,
  type JsonObject,
  parseDuration,
  RELEASE_UNSIGNED,
  ROLLOUT_FORMAT,
  ROLLOUT_UNSIGNED,
  statementDigest,
} from '../manifests/index.ts'
import type { Live } from './live.ts'
import type { Project } from './open-project.ts'
import { signDocument } from './sign.ts'
import { datedStages, type StageOffset } from './stages.ts'

export const DEFAULT_EXPIRES = '90d'

export interface RolloutTerms {
  readonly channel: string
  readonly stages: readonly StageOffset[]
  /** A duration such as `90d`. */
  readonly expires: string
}

/** The rollout statement, signed by the rollout role: who may have this release, and until when that is good. */
export async function makeRollout(
  release: JsonObject,
  terms: RolloutTerms,
  live: Live | undefined,
  project: Project,
  now: number,
): Promise<JsonObject> {
  const document = {
    format: ROLLOUT_FORMAT,
    name: project.name,
    channel: terms.channel,
    release: statementDigest(release, RELEASE_UNSIGNED),
    sequence: (live?.manifest.rollout.sequence ?? 0) + 1,
    issued: formatDate(now),
    expires: formatDate(now + (parseDuration(terms.expires) ?? 0)),
    stages: datedStages(terms.stages, now),
    ...(live === undefined ? {} : { previous: live.sha256 }),
  }
  return signDocument(document as unknown as JsonObject, ROLLOUT_UNSIGNED, project.signers.rollout)
}
