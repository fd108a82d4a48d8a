import {
  type AgentFacts,
  decide,
  type Manifest,
  type Rule,
  type RuleMatch,
  rulingFor,
  type Verified,
} from '../../manifests/index.ts'

type Offer = Pick<Manifest, 'release' | 'rollout'>

/**
 * The versions to which rules pin agents of the offered release in vain: nothing keeps them there, so that agents do not
 * go. Says nothing of rules that no such agent matches.
 * @param now milliseconds since 1970
 */
export function lostPins(offer: Offer, now: number): string[] {
  const { rules = [] } = offer.rollout
  const lost = rules.filter((rule) => isLost(rule, offer, now))
  return [...new Set(lost.flatMap(({ pin }) => pin?.version ?? []))]
}

function isLost(rule: Rule, { release, rollout }: Offer, now: number): boolean {
  const facts = agentOf(rule.match, release.version)
  if (rule.pin === undefined || rule.pin.version === release.version) return false
  if (rulingFor(rollout.rules, facts).move !== rule) return false
  // Nobody has signed this rollout; nothing is installed by it.
  const manifest = { release, rollout, releaseDigest: rollout.release, rolloutDigest: '' } as Verified<Manifest>
  return decide(manifest, facts, now).kind !== 'release-needed'
}

/** One that the rule is for, if it runs that version. */
function agentOf({ labels = {}, ids = [], platforms = [] }: RuleMatch, running: string): AgentFacts {
  const [id = '', platform = 'linux-amd64'] = [ids[0], platforms[0]]
  const own: Record<string, string> = {}
  for (const [name, [value = '']] of Object.entries(labels)) own[name] = value
  return { id, platform, running, labels: own, quarantine: new Set() }
}
