import { createHash } from 'node:crypto'

/** Buckets are hundredths of a percent. */
export const BUCKETS = 10_000

/** Where an agent stands among all agents, for one salt. */
export interface Draw {
  /** 0 to 9999, in hundredths of a percent. */
  readonly bucket: number
  /** Its place within the spread of a stage, from 0 up to but not including 1; says nothing about the bucket. */
  readonly place: number
}

/**
 * The first 4 bytes, big-endian, of `sha256(salt + "\n" + agentId)` modulo 10000 are the bucket; the next 4, divided by
 * 2^32, the place. The formula is frozen by vectors: another one would reshuffle every fleet.
 */
export function draw(salt: string, agentId: string): Draw {
  const hash = createHash('sha256').update(`${salt}\n${agentId}`).digest()
  return { bucket: hash.readUInt32BE(0) % BUCKETS, place: hash.readUInt32BE(4) / 2 ** 32 }
}

export function rolloutBucket(salt: string, agentId: string): number {
  return draw(salt, agentId).bucket
}

/** In at `percent` means in at every larger percent. */
export function isBelowShare(bucket: number, percent: number): boolean {
  return bucket < percent * (BUCKETS / 100)
}
