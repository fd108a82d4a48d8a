// Computes the tables of docs/cost.md and puts them between its marks.
//
//   npx tsx scripts/fleet-cost.ts            write them
//   npx tsx scripts/fleet-cost.ts --check    fail when the page has others
//
// What is measured, assumed and charged stands in fleet-cost-model.ts, and on the page: change one and run it again.

import { readFileSync, writeFileSync } from 'node:fs'

import { formatDuration } from '../manifests/index.ts'
import {
  MINUTE_MS,
  HOUR_MS,
  GB,
  TB,
  ANSWER_304_BYTES,
  HANDSHAKE_BYTES,
  LOG_LINE_BYTES,
  DOWNLOAD_BYTES,
  MANIFEST_BYTES,
  MONTH_MS,
  RELEASES_A_MONTH,
  REGIONAL_CACHES,
  MANIFEST_TTL_MS,
  REQUESTS_FREE,
  REQUEST_USD,
  TRANSFER_FREE_BYTES,
  TRANSFER_TIERS,
  S3_GET_USD,
  S3_STORAGE_USD_PER_GB,
  S3_TRANSFER_FREE_BYTES,
  S3_TRANSFER_TIERS,
  monthOf,
} from './fleet-cost-model.ts'

const PAGE = new URL('../docs/cost.md', import.meta.url)

const FLEETS = [1000, 10_000, 100_000, 1_000_000]

/** By the name of their mark on the page. */
const TABLES: Readonly<Record<string, () => string>> = {
  fleets: () =>
    table(
      ['agents', 'polls a second', 'polls', 'polls, sent', 'downloads, sent', 'logs', 'CloudFront and S3', 'S3 alone'],
      FLEETS.map((agents) => {
        const { polls, pollBytes, downloadBytes, logBytes, cloudFrontUsd, s3Usd } = monthOf({ agents })
        const perSecond = shortNumber((polls / MONTH_MS) * 1000)
        return [
          count(agents),
          perSecond,
          million(polls),
          size(pollBytes),
          size(downloadBytes),
          size(logBytes),
          usd(cloudFrontUsd),
          usd(s3Usd),
        ]
      }),
    ),
  intervals: () =>
    table(
      ['poll.interval', ...FLEETS.map((agents) => `${count(agents)} agents`)],
      [1, 5, 15, 60, 360].map((minutes) => {
        const intervalMs = minutes * MINUTE_MS
        return [
          `\`${formatDuration(intervalMs)}\``,
          ...FLEETS.map((agents) => usd(monthOf({ agents, intervalMs }).cloudFrontUsd)),
        ]
      }),
    ),
  choices: () =>
    table(
      ['for 100,000 agents', 'sent', 'CloudFront and S3', 'S3 alone'],
      (
        [
          ['as above: ETags, resumed TLS sessions, deltas', {}],
          ['a new TLS session for each poll', { handshake: 'new' }],
          ['no ETags: each poll gets the whole manifest', { hasEtags: false }],
          ['no deltas: each update gets the whole program, packed', { download: 'whole' }],
          ['no deltas, and a poll each hour', { download: 'whole', intervalMs: HOUR_MS }],
        ] as const
      ).map(([label, choice]) => {
        const { pollBytes, downloadBytes, cloudFrontUsd, s3Usd } = monthOf({ agents: 100_000, ...choice })
        return [label, size(pollBytes + downloadBytes), usd(cloudFrontUsd), usd(s3Usd)]
      }),
    ),
  figures: () =>
    table(
      ['what', 'figure'],
      [
        ['answer to a poll without news (304)', `${ANSWER_304_BYTES} B, measured`],
        [
          'TLS 1.3 handshake, session resumed; new',
          `${count(HANDSHAKE_BYTES.resumed)} B; ${count(HANDSHAKE_BYTES.new)} B, measured on one host; counted as sent in whole`,
        ],
        ['line of a CloudFront log, gzip', `${LOG_LINE_BYTES} B, measured over 10 million lines; kept for a month`],
        [
          'update: packed with brotli; delta',
          `${count(DOWNLOAD_BYTES.whole)} B; ${count(DOWNLOAD_BYTES.delta)} B, measured on a Rust program of 23 MB`,
        ],
        ['manifest', `${count(MANIFEST_BYTES)} B: four platforms with a compressed and a delta download each`],
        ['releases a month, to every agent', String(RELEASES_A_MONTH)],
        [
          'CloudFront, HTTPS request',
          `$${(REQUEST_USD * 10_000).toFixed(4)} for 10,000, after ${count(REQUESTS_FREE)} free ones`,
        ],
        [
          'CloudFront, sent',
          `$${TRANSFER_TIERS[0]?.usdPerGb} a GB, in steps down to $${TRANSFER_TIERS.at(-1)?.usdPerGb}, after ${size(TRANSFER_FREE_BYTES)} free`,
        ],
        [
          'S3, GET',
          `$${(S3_GET_USD * 1000).toFixed(4)} for 1,000; for CloudFront ${REGIONAL_CACHES} regional caches ask once in ${formatDuration(MANIFEST_TTL_MS)}`,
        ],
        [
          'S3, sent without CloudFront',
          `$${S3_TRANSFER_TIERS[0]?.usdPerGb} a GB, in steps down to $${S3_TRANSFER_TIERS.at(-1)?.usdPerGb}, after ${size(S3_TRANSFER_FREE_BYTES)} free`,
        ],
        ['S3, kept', `$${S3_STORAGE_USD_PER_GB} a GB and month`],
      ],
    ),
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function count(number: number): string {
  return number.toLocaleString('en-GB')
}

function shortNumber(number: number): string {
  return number < 10 ? number.toFixed(1) : count(Math.round(number))
}

function million(number: number): string {
  return `${shortNumber(number / 1e6)} million`
}

function size(bytes: number): string {
  return bytes < GB
    ? `${(bytes / 2 ** 20).toFixed(0)} MB`
    : bytes < TB
      ? `${shortNumber(bytes / GB)} GB`
      : `${shortNumber(bytes / TB)} TB`
}

function usd(amount: number): string {
  return `$${amount < 10 ? amount.toFixed(2) : count(Math.round(amount))}`
}

const before = readFileSync(PAGE, 'utf8')
const used = new Set<string>()
const after = before.replace(
  /(<!-- table: ([a-z]+) -->\n)[^]*?(<!-- end -->)/g,
  (_, start: string, name: string, end: string) => {
    const make = TABLES[name]
    if (make === undefined) throw new Error(`docs/cost.md asks for an unknown table: ${name}`)
    used.add(name)
    return `${start}${make()}\n${end}`
  },
)
for (const name of Object.keys(TABLES))
  if (!used.has(name)) throw new Error(`docs/cost.md has no place for the table ${name}`)
if (process.argv.includes('--check')) {
  if (after !== before) console.error('docs/cost.md has other figures: run scripts/fleet-cost.ts')
  process.exitCode = after === before ? 0 : 1
} else {
  writeFileSync(PAGE, after)
}
