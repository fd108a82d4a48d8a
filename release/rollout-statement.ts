import {
  formatDate,
  type JsonObject,
  parseDuration,
  RELEASE_UNSIGNED,
  ROLLOUT_FORMAT,
  ROLLOUT_UNSIGNED,
  type Stage,
  statementDigest,
} from '../manifests/index.ts'
import { baseFrom } from './layout.ts'
import { type Live, readAttempted } from './live.ts'
import { nextSequence } from './next-sequence.ts'
import { newestRoot, type Project } from './open-project.ts'
import { signDocument } from './sign.ts'

export const DEFAULT_EXPIRES = '90d'

export interface RolloutTerms {
  readonly channel: string
  readonly stages: readonly Stage[]
  /** A duration such as `90d`. */
  readonly expires: string
  /** A statement before this one, whose other members stay. */
  readonly base?: JsonObject
}

/** The rollout statement, signed by the rollout role: who may have this release, and until when that is good. */
export async function makeRollout(
  release: JsonObject,
  terms: RolloutTerms,
  live: Live | undefined,
  project: Project,
  now: number,
): Promise<JsonObject> {
  const { signatures: _, ...before } = terms.base ?? {}
  const attempted = await readAttempted(project.publisher, project.roots[0], terms.channel)
  const base = baseFrom(terms.channel)
  const document = {
    ...before,
    format: ROLLOUT_FORMAT,
    name: project.name,
    channel: terms.channel,
    release: statementDigest(release, RELEASE_UNSIGNED),
    sequence: nextSequence([live, attempted], newestRoot(project), now),
    issued: formatDate(now),
    expires: formatDate(now + (parseDuration(terms.expires) ?? 0)),
    stages: terms.stages,
    ...(base === undefined ? {} : { base }),
    ...(live === undefined ? {} : { previous: live.sha256 }),
  }
  return signDocument(document as unknown as JsonObject, ROLLOUT_UNSIGNED, project.signers.rollout)
}
