import { sha256 } from './canonical-json.ts'

/**
 * The id in a beacon: 16 hexadecimal digits that tell agents apart in a log. Hashed once more, so that whoever reads the
 * log cannot look up the rules and stages that go by the agent id itself.
 */
export function beaconIdOf(name: string, agentId: string): string {
  return sha256(Buffer.from(`moult-beacon\n${name}\n${agentId}`)).slice(0, 16)
}
