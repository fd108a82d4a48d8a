import { randomBytes } from 'node:crypto'

import { sha256 } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { State } from '../home/state.ts'

/**
 * A stable id of this agent that gives nothing away: the machine's id, hashed with the agent's name, so that two
 * products on one machine cannot be linked. A machine without an id gets a random one, kept in the state.
 *
 * @returns the state too, with the random id in it if there is one
 */
export function withAgentId(name: string, state: State): { id: string; state: State } {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    const machineId = readIfPossible(path)?.toString('utf8').trim() ?? ''
    if (/^[0-9a-f]{32}$/.test(machineId))
      return { id: sha256(Buffer.from(`${name}\n${machineId}`)).slice(0, 32), state }
  }
  const id = state.fallbackId ?? randomBytes(16).toString('hex')
  return { id, state: { ...state, fallbackId: id } }
}
