import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

import { sha256 } from '../../manifests/index.ts'
import { readIfPossible } from '../home/durable-file.ts'
import type { State } from '../home/state.ts'

/** What a machine calls itself. */
export interface Machine {
  /** 32 hexadecimal digits; undefined where the system has none, or none yet. */
  readonly machineId: string | undefined
  readonly hostName: string
}

/**
 * A stable id of this agent that gives nothing away: the machine's id and host name, hashed with the agent's name, so that
 * two products on one machine cannot be linked. The host name tells machines apart that were cloned from one image with
 * its id. A machine without an id gets a random one, kept in the state.
 *
 * @returns the state too, with the random id in it if there is one
 */
export function withAgentId(
  name: string,
  state: State,
  { machineId, hostName }: Machine = thisMachine(),
): { id: string; state: State } {
  if (machineId !== undefined)
    return { id: sha256(Buffer.from(`${name}\n${machineId}\n${hostName}`)).slice(0, 32), state }
  const id = state.fallbackId ?? randomBytes(16).toString('hex')
  return { id, state: { ...state, fallbackId: id } }
}

/** @param paths where the machine's id may stand: the first that holds one counts */
export function thisMachine(paths: readonly string[] = ['/etc/machine-id', '/var/lib/dbus/machine-id']): Machine {
  const ids = paths.map((path) => readIfPossible(path)?.toString('utf8').trim() ?? '')
  return { machineId: ids.find((id) => /^[0-9a-f]{32}$/.test(id)), hostName: hostname() }
}
