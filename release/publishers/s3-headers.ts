// What goes with each object: how it may be cached, what it is, and how the bucket keeps it.

import type { ServerSideEncryption } from '@aws-sdk/client-s3'

import type { S3Config } from './publish-config.ts'

/** Not `public`: where agents send a header to get in, a shared cache must not serve others what it fetched for them. */
const IMMUTABLE = 'max-age=31536000, immutable'
/** A cache may keep it, but asks each time; mostly the answer is a 304. */
const REVALIDATE = 'no-cache'
const IMMUTABLE_FOLDERS = /^(?:bin|history|releases|trust)\//

const TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  atom: 'application/atom+xml',
  yaml: 'application/yaml',
}

export interface ObjectHeaders {
  readonly CacheControl: string
  readonly ContentType: string
  readonly ServerSideEncryption?: ServerSideEncryption
  readonly SSEKMSKeyId?: string
  readonly Tagging?: string
}

export function headersOf(path: string, { sse, kmsKey, tags }: S3Config): ObjectHeaders {
  // An artifact is bytes, whatever its name ends in; a `.br` MUST NOT be unpacked on the way.
  const extension = path.startsWith('bin/') ? '' : (/\.([a-z]+)$/.exec(path)?.[1] ?? '')
  return {
    CacheControl: IMMUTABLE_FOLDERS.test(path) ? IMMUTABLE : REVALIDATE,
    ContentType: TYPES[extension] ?? 'application/octet-stream',
    ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
    ...(kmsKey === undefined ? {} : { SSEKMSKeyId: kmsKey }),
    ...(tags === undefined ? {} : { Tagging: Object.entries(tags).map(encodeTag).join('&') }),
  }
}

/** Not URLSearchParams: not every service reads its `+` as a space. */
function encodeTag(tag: readonly [name: string, value: string]): string {
  return tag.map(encodeURIComponent).join('=')
}
