import {
  type JsonObject,
  type Release,
  RELEASE_UNSIGNED,
  type Rollout,
  statementDigest,
} from '../../manifests/index.ts'
import type { Live } from '../live.ts'
import type { Project } from '../open-project.ts'
import type { Released } from '../released.ts'
import { liveRolloutOf, rolloutContext } from '../rollout-statement.ts'
import type { Surroundings } from '../surroundings.ts'
import { composeRollout } from './compose-rollout.ts'
import { fallbackBefore } from './fallback.ts'
import { lostPins } from './lost-pins.ts'
import { pinnedReferences, usableReference } from './references.ts'
import { pinsOf, type RolloutTerms } from './rollout-terms.ts'

export interface DraftTerms {
  readonly channel: string
  readonly baseUrl: string | undefined
  readonly rollout: RolloutTerms
}

interface Draftable extends Pick<Released, 'document'> {
  readonly release: Pick<Release, 'version'>
}

/**
 * What can be said of the rollout before anything is built: a pin that leads nowhere, or a hold that would be lost, is
 * found in a second instead of after minutes of compiling.
 * @throws MoultError as `draftRollout`
 */
export async function assertOfferable(
  version: string,
  terms: DraftTerms,
  live: Live | undefined,
  project: Pick<Project, 'name' | 'publisher' | 'roots'>,
  now: number,
): Promise<void> {
  if (live?.manifest.release.version === version) return
  // It has no bytes yet; that it is another one than the live one is all that counts.
  await draftRollout({ document: { version }, release: { version } }, terms, live, project, { on: () => {} }, now)
}

/**
 * The rollout statement of a release by these terms, after what is live: unsigned, so that no key is needed to look at it.
 * @throws MoultError ERR_USAGE_INVALID, ERR_POLICY_REFUSED, ERR_MANIFEST_* or ERR_TRUST_*
 */
export async function draftRollout(
  { document, release }: Draftable,
  { channel, baseUrl, rollout: terms }: DraftTerms,
  live: Live | undefined,
  project: Pick<Project, 'name' | 'publisher' | 'roots'>,
  around: Pick<Surroundings, 'on'>,
  now: number,
): Promise<JsonObject> {
  const isSame = live?.manifest.releaseDigest === statementDigest(document, RELEASE_UNSIGNED)
  const references = new Map(await pinnedReferences(pinsOf(terms, isSame), project, baseUrl))
  const candidate = isSame ? undefined : fallbackBefore(live && liveRolloutOf(live), release.version, now)
  if (candidate !== undefined && !references.has(candidate.version)) {
    const fallback = await usableReference(candidate, project, baseUrl)
    if (fallback !== undefined) references.set(candidate.version, fallback)
    else
      around.on({
        kind: 'note',
        text: `Agents of today cannot verify ${candidate.version}: until their stage, new machines get ${release.version}.`,
      })
  }
  const context = await rolloutContext(document, channel, live, project, now, references)
  const statement = composeRollout(terms, context)
  const derived = spreadNote(terms, statement as unknown as Rollout)
  if (derived !== undefined) around.on({ kind: 'note', text: derived })
  const offer = { release: document as unknown as Release, rollout: statement as unknown as Rollout }
  for (const pin of lostPins(offer, now)) around.on({ kind: 'note', text: lostPinNote(pin, release.version) })
  return statement
}

function lostPinNote(pin: string, offered: string): string {
  return `The pin to ${pin} does not count for agents that run ${offered}: from there they would be sent on again. Pin them by label or id, or keep them with one more rule, such as 'version:${pin} -> hold'.`
}

/** What the rate came to, for whoever asked for it. */
function spreadNote({ asked, configured }: RolloutTerms, { spread = '0s', rules }: Rollout): string | undefined {
  const rate = asked.maxRate ?? (asked.spread === undefined ? configured.maxRate : undefined)
  if (rate === undefined) return undefined
  const text = `Each stage is spread over ${spread}: at most ${rate.perMinute} downloads a minute by ${rate.fleetSize} agents`
  const isMore = rules?.some(({ stages }) => stages !== undefined) === true
  return isMore ? `${text}, without those of the rules, which are not counted.` : `${text}.`
}
