// One request, one line a step: method -> safe path -> file on disk -> open with its ETag -> send.

import { contentTypeOf, cacheControlOf } from './cache-policy.ts'
import { openContent, ContentUnstableError } from './content.ts'
import type { EtagCache } from './etag.ts'
import type { Exchange } from './exchange.ts'
import { failsNow, latency, throttle, type Faults } from './faults.ts'
import { locateFile, parseTarget } from './safe-path.ts'
import { sendContent } from './send-content.ts'

export interface Site {
  readonly dir: string
  readonly etags: EtagCache
  readonly faults: Faults
}

/** Never rejects: whatever goes wrong becomes a status, or a cut connection when the header is already out. */
export async function answerRequest(site: Site, exchange: Exchange): Promise<void> {
  try {
    await answer(site, exchange)
  } catch (error) {
    await exchange.abandon(statusOfError(error))
  }
}

async function answer(site: Site, exchange: Exchange): Promise<void> {
  const { faults } = site
  await latency(faults, exchange.gone)
  if (exchange.gone.aborted) return
  if (failsNow(faults)) return exchange.refuse(503)

  const { method } = exchange.request
  if (method !== 'GET' && method !== 'HEAD') return exchange.refuse(405, { allow: 'GET, HEAD' })

  const target = parseTarget(exchange.request.url ?? '/')
  if (target.kind === 'refused') return exchange.refuse(target.status)
  const file = await locateFile(site.dir, target.segments)
  if (file.kind === 'refused') return exchange.refuse(file.status)

  const content = await openContent(file.path, site.etags)
  if (content === undefined) return exchange.refuse(404)
  try {
    await sendContent(exchange, {
      name: target.segments.at(-1) ?? '',
      contentType: contentTypeOf(target.segments),
      cacheControl: cacheControlOf(target.segments),
      etag: content.etag,
      size: content.size,
      read: (start, end) => throttle(faults, content.read(start, end)),
    })
  } finally {
    await content.close()
  }
}

function statusOfError(error: unknown): number {
  if (error instanceof ContentUnstableError) return 503
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 403
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'ENXIO':
      return 404
    default:
      return 500
  }
}
