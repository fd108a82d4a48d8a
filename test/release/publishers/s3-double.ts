// A small S3 in memory, for what a real service does not do on demand: faults, lost answers, missing conditions. It
// checks no signature. What it shows about good days is shown again on a real gateway by the slow tests.

import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export const BUCKET = 'updates'

export interface DoubleObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
  readonly headers: IncomingMessage['headers']
}

export interface DoubleRequest {
  readonly method: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/**
 * An error to answer with; the request is done and its answer lost; the connection is cut before that, or in the middle
 * of the body; undefined: as it should be.
 */
export type Fault =
  | { readonly status: number; readonly code: string }
  | 'lose answer'
  | 'hang up'
  | 'cut body'
  | undefined

export interface S3Double {
  readonly endpoint: string
  readonly objects: Map<string, DoubleObject>
  /** By id: the key, and the parts so far. */
  readonly uploads: Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>
  readonly requests: DoubleRequest[]
  /** Asked at each request. */
  fault: (request: DoubleRequest) => Fault
  /** What becomes of If-Match and If-None-Match. */
  conditions: 'kept' | 'ignored' | 'refused'
  /** Added to the Date header and the age of objects. */
  clockOffsetMs: number
}

interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export async function startDouble(t: TestContext): Promise<S3Double> {
  const server = createServer((request, response) => void serve(double, request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const double: S3Double = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    fault: () => undefined,
    conditions: 'kept',
    clockOffsetMs: 0,
  }
  return double
}

async function serve(double: S3Double, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(incoming.url ?? '', 'http://double.invalid')
  const [, bucket = '', ...names] = url.pathname.split('/').map(decodeURIComponent)
  const { method = '', headers } = incoming
  const request = { method, key: names.join('/'), query: url.searchParams, headers }
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
  } catch {
    return // The client went away.
  }
  double.requests.push(request)

  const fault = double.fault(request)
  if (fault === 'hang up') return void incoming.socket.destroy()
  const good = (): Answer =>
    bucket === BUCKET ? answer(double, request, Buffer.concat(chunks)) : failure(404, 'NoSuchBucket')
  const {
    status,
    headers: more = {},
    body = '',
  } = typeof fault === 'object' ? failure(fault.status, fault.code) : good()
  if (fault === 'lose answer') return void incoming.socket.destroy()
  response.writeHead(status, {
    date: new Date(Date.now() + double.clockOffsetMs).toUTCString(),
    'content-length': Buffer.byteLength(body),
    ...more,
  })
  if (fault === 'cut body') response.write(body.slice(0, body.length >> 1), () => incoming.socket.destroy())
  else response.end(body)
}

function answer(double: S3Double, request: DoubleRequest, body: Buffer): Answer {
  const { method, key, query } = request
  if (key === '') return query.has('uploads') ? listUploads(double, query) : listObjects(double, query)
  if (query.has('uploads') || query.has('uploadId')) return multipart(double, request, body)
  if (method === 'PUT') return put(double, request, body)
  if (method === 'DELETE') return (double.objects.delete(key), { status: 204 })
  const found = double.objects.get(key)
  if (found === undefined) return failure(404, 'NoSuchKey')
  const { etag, modified, bytes } = found
  return { status: 200, headers: { etag: `"${etag}"`, 'last-modified': modified.toUTCString() }, body: bytes }
}

function put(double: S3Double, { key, headers }: DoubleRequest, bytes: Buffer): Answer {
  const { 'if-match': same, 'if-none-match': none } = headers
  if (double.conditions === 'refused' && (same ?? none) !== undefined) return failure(501, 'NotImplemented')
  if (double.conditions === 'kept') {
    const found = double.objects.get(key)
    if (none === '*' && found !== undefined) return failure(412, 'PreconditionFailed')
    if (same !== undefined && found === undefined) return failure(404, 'NoSuchKey')
    if (same !== undefined && found?.etag !== same) return failure(412, 'PreconditionFailed')
  }
  return store(double, key, bytes, headers)
}

function store(double: S3Double, key: string, bytes: Buffer, headers: IncomingMessage['headers']): Answer {
  const etag = createHash('md5').update(bytes).digest('hex')
  double.objects.set(key, { bytes, etag, headers, modified: new Date(Date.now() + double.clockOffsetMs) })
  return { status: 200, headers: { etag: `"${etag}"` } }
}

function multipart(double: S3Double, { method, key, query, headers }: DoubleRequest, body: Buffer): Answer {
  if (method === 'POST' && query.has('uploads')) {
    const id = randomUUID()
    double.uploads.set(id, { key, parts: new Map() })
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }
  const id = query.get('uploadId') ?? ''
  const upload = double.uploads.get(id)
  if (upload === undefined) return failure(404, 'NoSuchUpload')
  if (method === 'PUT') {
    upload.parts.set(Number(query.get('partNumber')), body)
    return { status: 200, headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` } }
  }
  double.uploads.delete(id)
  if (method === 'DELETE') return { status: 204 }
  const parts = [...upload.parts].toSorted(([a], [b]) => a - b).map(([, bytes]) => bytes)
  store(double, key, Buffer.concat(parts), headers)
  return xml('<CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>')
}

function listObjects({ objects }: S3Double, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? ''
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted()
  const isDeep = (key: string): boolean => query.has('delimiter') && key.slice(prefix.length).includes('/')
  const folders = new Set(keys.filter(isDeep).map((key) => key.slice(0, key.indexOf('/', prefix.length) + 1)))
  const entries = keys
    .filter((key) => !isDeep(key))
    .map((key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.bytes.length ?? 0}</Size></Contents>`)
  const prefixes = [...folders].map((folder) => `<CommonPrefixes><Prefix>${folder}</Prefix></CommonPrefixes>`)
  return xml(`<ListBucketResult>${entries.join('')}${prefixes.join('')}</ListBucketResult>`)
}

function listUploads({ uploads }: S3Double, query: URLSearchParams): Answer {
  const entries = [...uploads]
    .filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
    .map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`)
  return xml(`<ListMultipartUploadsResult>${entries.join('')}</ListMultipartUploadsResult>`)
}

function failure(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>${code} it is</Message></Error>`), status }
}

function xml(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0"?>${body}` }
}
