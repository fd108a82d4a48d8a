// Agents go by a pseudonym in the logs. Whoever knows their ids, as the owner of the fleet does, can undo it.

import { sha256 } from '../manifests/index.ts'

/** Names by pseudonym. */
export type AgentNames = ReadonlyMap<string, string>

/** What an agent is called in the logs: 16 hexadecimal digits. */
export function beaconIdOf(name: string, agentId: string): string {
  return sha256(Buffer.from(`moult-beacon\n${name}\n${agentId}`)).slice(0, 16)
}

/** What `moult preview --ids` reads of an agent, and no name. */
const FACTS = /(?:^|\s)(?:platform|version|label\.[^\s=]+)=\S*/g

/**
 * The list of `moult preview --ids`: one agent a line, its id first, or one JSON object with an `id`. Behind the id may
 * stand, after white space or a comma, what people call it; without that the id is shown. Empty lines and those that begin
 * with `#` count for nothing.
 *
 * @param name name of the agent's program, of which the pseudonym is made too
 */
export function readAgentNames(text: string, name: string): AgentNames {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [, first = line, rest = ''] = /^([^\s,]+)[\s,]*(.*)$/.exec(line) ?? []
        const agentId = line.startsWith('{') ? idOfJson(line) : first
        const label = line.startsWith('{') ? '' : rest.replace(FACTS, '').trim()
        return [beaconIdOf(name, agentId), label === '' ? agentId : label]
      }),
  )
}

/** A line that is no such object is an id of no agent, and shows nothing. */
function idOfJson(line: string): string {
  try {
    const { id } = JSON.parse(line) as { readonly id?: unknown }
    return typeof id === 'string' ? id : line
  } catch {
    return line
  }
}

export function agentLabel(id: string, names: AgentNames | undefined): string {
  return names?.get(id) ?? id
}
