import { createHash } from 'node:crypto'

/** Buckets are hundredths of a percent. */
export const BUCKETS = 10_000

/**
 * The rollout bucket of an agent, 0 to 9999: the first 4 bytes, big-endian, of `sha256(salt + "\n" + agentId)` modulo
 * 10000. The formula is frozen by vectors: another one would reshuffle every fleet.
 */
export function rolloutBucket(salt: string, agentId: string): number {
  return createHash('sha256').update(`${salt}\n${agentId}`).digest().readUInt32BE(0) % BUCKETS
}

/** In at `percent` means in at every larger percent. */
export function isInRollout(bucket: number, percent: number): boolean {
  return bucket < percent * (BUCKETS / 100)
}
