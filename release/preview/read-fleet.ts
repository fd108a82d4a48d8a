// A list of agents, one on a line, as an inventory or a search in a log gives it.

import {
  agentIdShape,
  isMoultError,
  type JsonValue,
  type Labels,
  labelsShape,
  MoultError,
  parseStrictJson,
  type Platform,
  PLATFORM_PATTERN,
  shape,
  versionShape,
} from '../../manifests/index.ts'

export interface FleetAgent {
  readonly id: string
  readonly platform?: Platform
  /** What runs; null is nothing, and undefined is not known. */
  readonly version?: string | null
  readonly labels?: Labels
}

const EXPECTED = 'an id, then platform=, version= or label.<name>='
const NOTHING = 'none'

const agentShape = shape.object({
  id: agentIdShape,
  platform: shape.optional(shape.string({ pattern: PLATFORM_PATTERN, says: 'a platform such as linux-amd64' })),
  version: shape.optional(versionShape),
  labels: shape.optional(labelsShape),
})

/**
 * Lines such as `web-1 platform=linux-amd64 version=1.4.1 label.ring=canary`, or one JSON object on a line. Empty lines
 * and those that begin with `#` say nothing; `version=none`, or null, is a machine with nothing installed.
 * @param name of the file, for errors
 * @throws MoultError ERR_USAGE_INVALID with the number of the line
 */
export function readFleet(text: string, name: string): FleetAgent[] {
  const agents: FleetAgent[] = []
  let number = 0
  for (const line of text.replace(/^\u{feff}/u, '').split('\n')) {
    number += 1
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    try {
      agents.push(trimmed.startsWith('{') ? ofJson(trimmed) : ofWords(trimmed))
    } catch (error) {
      throw badLine(error, name, number)
    }
  }
  return agents
}

function ofJson(line: string): FleetAgent {
  const value = parseStrictJson(new TextEncoder().encode(line))
  const { version, ...rest } = value as { readonly [name: string]: JsonValue }
  if (version === null) return { ...agentShape.check(rest, ''), version }
  return agentShape.check(value, '')
}

function ofWords(line: string): FleetAgent {
  const [id, ...words] = line.split(/\s+/)
  const members: Record<string, string> = {}
  const labels: Record<string, string> = {}
  for (const word of words) {
    const [, member = '', label, value = ''] = /^(platform|version|label\.([^=]+))=(.*)$/.exec(word) ?? []
    const [into, key] = label === undefined ? [members, member] : [labels, label]
    if (key === '' || Object.hasOwn(into, key)) throw new shape.ShapeMismatch('', EXPECTED, JSON.stringify(word))
    into[key] = value
  }
  const { version, ...rest } = members
  const named = { id, ...rest, ...(Object.keys(labels).length === 0 ? {} : { labels }) }
  if (version === NOTHING) return { ...agentShape.check(named, ''), version: null }
  return agentShape.check({ ...named, ...(version === undefined ? {} : { version }) }, '')
}

function badLine(error: unknown, name: string, line: number): unknown {
  const isOurs = error instanceof shape.ShapeMismatch || isMoultError(error)
  if (!isOurs) return error
  const reason = error.message.replace(/^the document: /, '')
  return new MoultError('ERR_USAGE_INVALID', `${name}:${line}: ${reason}`, {
    hint: 'A line is an id, or `web-1 platform=linux-amd64 version=1.4.1 label.ring=canary`, or a JSON object.',
    details: { file: name, line },
    cause: error,
  })
}
