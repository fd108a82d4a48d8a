// What a month of a fleet costs, from what was measured, what is assumed, and what is charged.

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const GB = 2 ** 30
export const TB = 1024 * GB

// Measured: README.md, "What it costs"; the handshakes with TLS 1.3 and a certificate of usual size; a log of 10 million lines.
export const ANSWER_304_BYTES = 239
export const HANDSHAKE_BYTES = { resumed: 1330, new: 2698 }
export const LOG_LINE_BYTES = 77.5
/** Of a Rust program of 23 MB between two patch releases: packed with brotli, and as a delta. */
export const DOWNLOAD_BYTES = { whole: 6_853_541, delta: 324_679 }
/** Of four platforms, with a compressed and a delta download each. */
export const MANIFEST_BYTES = 4000

// Assumed.
export const MONTH_MS = 30 * 24 * HOUR_MS
export const RELEASES_A_MONTH = 4
const INTERVAL_MS = 5 * MINUTE_MS
/** Caches between the edges and the bucket, each of which asks once in a time to live of the manifest. */
export const REGIONAL_CACHES = 13
export const MANIFEST_TTL_MS = MINUTE_MS

// Charged, in US dollars, for North America and Europe.
export const REQUESTS_FREE = 10_000_000
export const REQUEST_USD = 0.01 / 10_000
export const TRANSFER_FREE_BYTES = TB
export const TRANSFER_TIERS: readonly Tier[] = [
  { bytes: 10 * TB, usdPerGb: 0.085 },
  { bytes: 40 * TB, usdPerGb: 0.08 },
  { bytes: 100 * TB, usdPerGb: 0.06 },
  { bytes: 350 * TB, usdPerGb: 0.04 },
  { bytes: 524 * TB, usdPerGb: 0.03 },
  { bytes: 4096 * TB, usdPerGb: 0.025 },
  { bytes: Number.POSITIVE_INFINITY, usdPerGb: 0.02 },
]
export const S3_GET_USD = 0.0004 / 1000
export const S3_STORAGE_USD_PER_GB = 0.023
export const S3_TRANSFER_FREE_BYTES = 100 * GB
export const S3_TRANSFER_TIERS: readonly Tier[] = [
  { bytes: 10 * TB, usdPerGb: 0.09 },
  { bytes: 40 * TB, usdPerGb: 0.085 },
  { bytes: 100 * TB, usdPerGb: 0.07 },
  { bytes: Number.POSITIVE_INFINITY, usdPerGb: 0.05 },
]

export interface Tier {
  /** How much is charged at this price, before the next one begins. */
  readonly bytes: number
  readonly usdPerGb: number
}

export interface Fleet {
  readonly agents: number
  readonly intervalMs?: number
  readonly handshake?: keyof typeof HANDSHAKE_BYTES
  /** Without ETags every poll is answered with the whole manifest. */
  readonly hasEtags?: boolean
  readonly download?: keyof typeof DOWNLOAD_BYTES
}

export interface Month {
  readonly polls: number
  readonly pollBytes: number
  readonly downloadBytes: number
  readonly logBytes: number
  readonly cloudFrontUsd: number
  readonly s3Usd: number
}

/** A month of a fleet that gets each release. */
export function monthOf(fleet: Fleet): Month {
  const { agents, intervalMs = INTERVAL_MS, handshake = 'resumed', hasEtags = true, download = 'delta' } = fleet
  const polls = (agents * MONTH_MS) / intervalMs
  const updates = agents * RELEASES_A_MONTH
  const answers = hasEtags
    ? polls * ANSWER_304_BYTES + updates * MANIFEST_BYTES
    : polls * (ANSWER_304_BYTES + MANIFEST_BYTES)
  const pollBytes = answers + polls * HANDSHAKE_BYTES[handshake]
  const downloadBytes = updates * (DOWNLOAD_BYTES[download] + HANDSHAKE_BYTES[handshake])
  const logBytes = (polls + updates) * LOG_LINE_BYTES
  const requests = polls + updates
  const sent = pollBytes + downloadBytes
  const logUsd = (logBytes / GB) * S3_STORAGE_USD_PER_GB
  const originUsd = ((REGIONAL_CACHES * MONTH_MS) / MANIFEST_TTL_MS) * S3_GET_USD
  return {
    polls,
    pollBytes,
    downloadBytes,
    logBytes,
    cloudFrontUsd:
      Math.max(0, requests - REQUESTS_FREE) * REQUEST_USD +
      transferUsd(sent - TRANSFER_FREE_BYTES, TRANSFER_TIERS) +
      Math.min(originUsd, requests * S3_GET_USD) +
      logUsd,
    s3Usd: requests * S3_GET_USD + transferUsd(sent - S3_TRANSFER_FREE_BYTES, S3_TRANSFER_TIERS) + logUsd,
  }
}

export function transferUsd(bytes: number, tiers: readonly Tier[]): number {
  let rest = Math.max(0, bytes)
  let usd = 0
  for (const tier of tiers) {
    const charged = Math.min(rest, tier.bytes)
    usd += (charged / GB) * tier.usdPerGb
    rest -= charged
  }
  return usd
}
