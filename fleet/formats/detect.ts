// Which log this is, told by what a line looks like; names of files say nothing.

import { CloudFrontReader } from './cloudfront.ts'
import { CombinedReader } from './combined.ts'
import { CaddyReader, CloudFrontJsonReader, isCaddyEntry, isCloudFrontEntry, parseRecord } from './json-lines.ts'
import type { LineReader, LogFormat } from './log-line.ts'
import { S3Reader } from './s3.ts'

const DAY_AND_TIME = String.raw`\d{4}-\d\d-\d\d(?:\t| )\d\d:\d\d:\d\d`
const CLF_TIME = String.raw`\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`
const CLOUDFRONT = new RegExp(`^(?:#(?:Version|Fields):|${DAY_AND_TIME}\\t)`)
const S3 = new RegExp(String.raw`^\S+ \S+ ${CLF_TIME} \S+ \S+ \S+ [A-Z]+\.[A-Z._]+ `)
const COMBINED = new RegExp(String.raw`^\S+ .*${CLF_TIME} "`)

export function readerOf(format: LogFormat): LineReader {
  switch (format) {
    case 'cloudfront':
      return new CloudFrontReader()
    case 'cloudfront-json':
      return new CloudFrontJsonReader()
    case 's3':
      return new S3Reader()
    case 'combined':
      return new CombinedReader()
    case 'caddy':
      return new CaddyReader()
  }
}

/** A reader for the log that this line is of; undefined when the line tells nothing. */
export function detectReader(bytes: Uint8Array, start: number, end: number): LineReader | undefined {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  if (line[0] === 0x7b) {
    const entry = parseRecord(line)
    if (entry === undefined) return undefined
    if (isCloudFrontEntry(entry)) return new CloudFrontJsonReader()
    return isCaddyEntry(entry) ? new CaddyReader() : undefined
  }
  const text = line.toString('latin1', 0, 4096)
  if (CLOUDFRONT.test(text)) return new CloudFrontReader()
  if (S3.test(text)) return new S3Reader()
  return COMBINED.test(text) ? new CombinedReader() : undefined
}
