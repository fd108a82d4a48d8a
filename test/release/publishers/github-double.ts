// A double of GitHub over HTTP: its API, its downloads, and the host that stores them. It follows the published
// description and what its users tell of it; github-gh.slow.test.ts shows it to a real client.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

import { type ApiAnswer, type ApiRequest, answerApi } from './github-double-api.ts'
import type { Hosts } from './github-double-shapes.ts'
import { type Links, redirect, serveDownload, serveStored, sign } from './github-double-downloads.ts'
import { DoubleState, OWNER, Refusal, REPO } from './github-double-state.ts'

export const TOKEN = 'ghp_a-token-that-may-write'
export const READ_TOKEN = 'ghp_a-token-that-may-read'

/**
 * What becomes of a request: an answer instead; the connection is cut before it or after it is done; an upload is cut in
 * its middle; undefined: as it should be.
 */
export type Fault =
  | { readonly status: number; readonly message: string; readonly headers?: Readonly<Record<string, string>> }
  | 'hang up'
  | 'lose answer'
  | 'break upload'
  | undefined

export interface GitHubDouble {
  readonly state: DoubleState
  readonly apiUrl: string
  /** Of the repository. */
  readonly webUrl: string
  /** `METHOD path` of the API, without the repository. */
  readonly requests: string[]
  /** Of the web and of the storage, as `METHOD host path`. */
  readonly downloads: string[]
  /** Asked before each request of the API, which waits for it. */
  fault: (request: Pick<ApiRequest, 'method' | 'path'>) => Fault | Promise<Fault>
  /** Told after each change; the answer waits for it. */
  onChange: (request: Pick<ApiRequest, 'method' | 'path'>) => void | Promise<void>
}

export async function startGitHub(t: Pick<TestContext, 'after'>): Promise<GitHubDouble> {
  const links: Links = new Map()
  const storage = await listen(t, (request, response) => serveStored(double, links, request, response))
  const server = await listen(t, (request, response) => void serve(double, links, storage, request, response))
  const double: GitHubDouble = {
    state: new DoubleState(),
    apiUrl: `${server}/api/v3`,
    webUrl: `${server}/${OWNER}/${REPO}`,
    requests: [],
    downloads: [],
    fault: () => undefined,
    onChange: () => {},
  }
  return double
}

async function listen(
  t: Pick<TestContext, 'after'>,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server: Server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function serve(
  double: GitHubDouble,
  links: Links,
  storage: string,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', headers } = incoming
  const host = headers.host ?? ''
  const url = new URL(incoming.url ?? '', `http://${host}`)
  const hosts = hostsOf(host)
  // `gh` has a name of the API's own.
  const path = host.startsWith('api.') ? url.pathname : /^\/api\/(?:v3|uploads)(\/.*)$/.exec(url.pathname)?.[1]
  if (path === undefined) return serveDownload(double, links, storage, url, method, response)
  const body = await readBody(incoming)
  if (path === '/api/graphql' || path === '/graphql') return send(response, double, graphql(double, body))

  const what = { method, path: path.replace(`/repos/${OWNER}/${REPO}`, '') }
  double.requests.push(`${method} ${what.path}`)
  const fault = await double.fault(what)
  if (typeof fault === 'object')
    return send(response, double, refusal(fault.status, fault.message, undefined, fault.headers))
  if (fault === 'break upload' || body === undefined) startUpload(double, path, url.searchParams)
  if (fault === 'hang up' || fault === 'break upload' || body === undefined) return void incoming.socket.destroy()

  let answer: ApiAnswer
  try {
    const rights = rightsOf(headers.authorization)
    answer = answerApi(double.state, { method, path, query: url.searchParams, headers, body, rights }, hosts)
    if (method !== 'GET') await double.onChange(what)
  } catch (error) {
    if (!(error instanceof Refusal)) return send(response, double, refusal(500, String(error)))
    answer = refusal(error.status, error.message, error.errors)
  }
  if (fault === 'lose answer') return void incoming.socket.destroy()
  if (answer.download === undefined) return send(response, double, answer)
  const { assetId } = answer.download
  redirect(response, sign(double, links, storage, double.state.findAsset(assetId).asset))
}

/** A client that goes away in the middle of its body. */
async function readBody(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  } catch {
    return undefined
  }
}

function startUpload({ state }: GitHubDouble, path: string, query: URLSearchParams): void {
  const id = /\/releases\/(\d+)\/assets$/.exec(path)?.[1]
  const [release, name] = [state.releases.get(Number(id)), query.get('name')]
  if (release === undefined || name === null) return
  const starter = {
    label: null,
    contentType: 'application/octet-stream',
    state: 'starter',
    bytes: Buffer.of(),
  } as const
  state.addAsset(release, { ...starter, name: state.nameFor(release, name) })
}

// --- answers -------------------------------------------------------------------------------------------------------

function hostsOf(host: string): Hosts {
  const web = `http://${host.replace(/^api\./, '')}`
  if (host.startsWith('api.')) return { api: `http://${host}`, uploads: `http://${host}`, web }
  return { api: `${web}/api/v3`, uploads: `${web}/api/uploads`, web }
}

function rightsOf(authorization: string | undefined): ApiRequest['rights'] {
  if (authorization === undefined) return 'none'
  const token = /^(?:token|bearer) (\S+)$/i.exec(authorization)?.[1]
  if (token === TOKEN) return 'write'
  if (token === READ_TOKEN) return 'read'
  throw new Refusal(401, 'Bad credentials')
}

function refusal(
  status: number,
  message: string,
  errors?: readonly Record<string, string>[],
  headers?: Readonly<Record<string, string>>,
): ApiAnswer {
  const data = {
    message,
    ...(errors === undefined ? {} : { errors }),
    documentation_url: 'https://docs.github.com/rest',
  }
  return { status, data, ...(headers === undefined ? {} : { headers }) }
}

function send(response: ServerResponse, { state }: GitHubDouble, { status, data, headers }: ApiAnswer): void {
  response.writeHead(status, {
    date: state.now().toUTCString(),
    'content-type': 'application/json; charset=utf-8',
    'x-github-request-id': 'DOUB:LE',
    ...headers,
  })
  response.end(data === undefined ? undefined : JSON.stringify(data))
}

/** What `gh release` asks for here: the number of a draft by its tag. */
function graphql({ state }: GitHubDouble, body: Buffer | undefined): ApiAnswer {
  const { variables } = JSON.parse(body?.toString() ?? '{}') as { variables?: Record<string, string> }
  const tag = variables?.['tagName'] ?? variables?.['tag']
  const release = [...state.releases.values()].find((one) => one.tag === tag)
  const found = release === undefined ? null : { databaseId: release.id, isDraft: release.draft }
  return { status: 200, data: { data: { repository: { release: found } } } }
}
