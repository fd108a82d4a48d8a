// The API of the double: the requests that the publisher and the command `gh` make, and no others.

import type { operations } from '@octokit/openapi-types'

import { type Hosts, showAsset, showCommit, showRef, showRelease, showRepository } from './github-double-shapes.ts'
import { type DoubleRelease, type DoubleState, invalid, notFound, OWNER, Refusal, REPO } from './github-double-state.ts'

export interface ApiRequest {
  readonly method: string
  /** Without the prefix of the API; still encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** What the token may do. */
  readonly rights: 'none' | 'read' | 'write'
}

export interface ApiAnswer {
  readonly status: number
  readonly data?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** For an asset that is asked for as it is. */
  readonly download?: { readonly releaseId: number; readonly assetId: number }
}

type BodyOf<Name extends keyof operations> = operations[Name] extends {
  requestBody?: { content: { 'application/json': infer Body } }
}
  ? Body
  : never

type Handler = (state: DoubleState, request: ApiRequest, names: readonly string[], hosts: Hosts) => ApiAnswer

const RELEASE_MEMBERS = ['tag_name', 'target_commitish', 'name', 'body', 'draft', 'prerelease', 'make_latest'] as const

const ROUTES: readonly (readonly [string, RegExp, Handler])[] = [
  ['GET', /^$/, (state, _, __, hosts) => ({ status: 200, data: showRepository(state, hosts) })],
  ['GET', /^\/releases$/, listReleases],
  ['POST', /^\/releases$/, createRelease],
  ['GET', /^\/releases\/latest$/, (state, _, __, hosts) => found(state, state.latest(), hosts)],
  ['GET', /^\/releases\/tags\/(.+)$/, (state, _, [tag = ''], hosts) => found(state, state.published(tag), hosts)],
  ['GET', /^\/releases\/(\d+)$/, getRelease],
  ['PATCH', /^\/releases\/(\d+)$/, updateRelease],
  ['DELETE', /^\/releases\/(\d+)$/, deleteRelease],
  ['POST', /^\/releases\/(\d+)\/assets$/, uploadAsset],
  ['GET', /^\/releases\/assets\/(\d+)$/, getAsset],
  ['PATCH', /^\/releases\/assets\/(\d+)$/, renameAsset],
  ['DELETE', /^\/releases\/assets\/(\d+)$/, deleteAsset],
  ['GET', /^\/git\/ref\/(.+)$/, getRef],
  ['POST', /^\/git\/refs$/, createRef],
  ['PATCH', /^\/git\/refs\/(.+)$/, updateRef],
  ['DELETE', /^\/git\/refs\/(.+)$/, deleteRef],
  ['POST', /^\/git\/commits$/, createCommit],
  ['GET', /^\/git\/commits\/([0-9a-f]{40})$/, getCommit],
]

/** @throws Refusal */
export function answerApi(state: DoubleState, request: ApiRequest, hosts: Hosts): ApiAnswer {
  const base = `/repos/${OWNER}/${REPO}`
  if (!request.path.startsWith(base)) throw notFound()
  if (request.rights === 'none' && (request.method !== 'GET' || state.isPrivate))
    throw state.isPrivate ? notFound() : new Refusal(401, 'Requires authentication')
  if (request.rights === 'read' && request.method !== 'GET')
    throw new Refusal(403, 'Resource not accessible by personal access token')
  const path = request.path.slice(base.length)
  for (const [method, pattern, handle] of ROUTES) {
    const names = method === request.method ? pattern.exec(path) : null
    if (names !== null) return handle(state, request, names.slice(1).map(decodeURIComponent), hosts)
  }
  throw new Error(`the double knows no ${request.method} ${path}`)
}

function found(state: DoubleState, release: DoubleRelease | undefined, hosts: Hosts): ApiAnswer {
  if (release === undefined) throw notFound()
  return { status: 200, data: showRelease(state, release, hosts) }
}

function listReleases(
  state: DoubleState,
  { query, rights }: ApiRequest,
  _: readonly string[],
  hosts: Hosts,
): ApiAnswer {
  const [page, size] = [Number(query.get('page') ?? 1), Number(query.get('per_page') ?? 30)]
  if (size > 100) throw new Error('a page has 100 at most')
  const visible = [...state.releases.values()].filter(({ draft }) => !draft || rights === 'write').toReversed()
  const data = visible.slice((page - 1) * size, page * size).map((release) => showRelease(state, release, hosts))
  const next = `${hosts.api}/repos/${OWNER}/${REPO}/releases?per_page=${size}&page=${page + 1}`
  return { status: 200, data, ...(page * size < visible.length ? { headers: { link: `<${next}>; rel="next"` } } : {}) }
}

function createRelease(state: DoubleState, request: ApiRequest, _: readonly string[], hosts: Hosts): ApiAnswer {
  const body = bodyOf<BodyOf<'repos/create-release'>>(request, RELEASE_MEMBERS)
  if (state.refs.size === 0) throw new Refusal(422, 'Repository is empty.')
  if (!/^[A-Za-z0-9][\w.+/-]*$/.test(body.tag_name))
    throw invalid([{ resource: 'Release', code: 'invalid', field: 'tag_name' }])
  const release = state.create(body.tag_name)
  try {
    change(state, release, { draft: false, ...body })
  } catch (error) {
    state.releases.delete(release.id)
    throw error
  }
  return { status: 201, data: showRelease(state, release, hosts) }
}

function getRelease(state: DoubleState, { rights }: ApiRequest, [id]: readonly string[], hosts: Hosts): ApiAnswer {
  const release = state.releaseOf(Number(id))
  return found(state, release.draft && rights !== 'write' ? undefined : release, hosts)
}

function updateRelease(state: DoubleState, request: ApiRequest, [id]: readonly string[], hosts: Hosts): ApiAnswer {
  const body = bodyOf<NonNullable<BodyOf<'repos/update-release'>>>(request, RELEASE_MEMBERS)
  const release = state.releaseOf(Number(id))
  if (body.tag_name !== undefined && body.tag_name !== release.tag) throw new Error('the tag of a draft stays')
  change(state, release, body)
  return { status: 200, data: showRelease(state, release, hosts) }
}

function change(state: DoubleState, release: DoubleRelease, body: NonNullable<BodyOf<'repos/update-release'>>): void {
  if (body.draft === false) state.publish(release, body.make_latest ?? 'true')
  release.name = body.name ?? release.name
  release.body = body.body ?? release.body
  release.prerelease = body.prerelease ?? release.prerelease
}

function deleteRelease(state: DoubleState, _: ApiRequest, [id]: readonly string[]): ApiAnswer {
  state.releases.delete(state.releaseOf(Number(id)).id)
  return { status: 204 }
}

function uploadAsset(state: DoubleState, request: ApiRequest, [id]: readonly string[], hosts: Hosts): ApiAnswer {
  const release = state.releaseOf(Number(id))
  assertChangeable(release, 'Cannot upload assets to an immutable release.')
  const wanted = request.query.get('name')
  if (wanted === null) throw invalid([{ resource: 'ReleaseAsset', code: 'missing_field', field: 'name' }])
  if (request.headers['content-length'] === undefined) throw new Refusal(411, 'Length Required')
  if (request.body.length === 0) throw new Refusal(400, 'Bad Content-Length')
  const asset = state.addAsset(release, {
    name: state.nameFor(release, wanted),
    label: request.query.get('label'),
    contentType: String(request.headers['content-type']),
    state: 'uploaded',
    bytes: state.isDamaging ? Buffer.alloc(request.body.length) : request.body,
  })
  return { status: 201, data: showAsset(state, release, asset, hosts) }
}

function getAsset(state: DoubleState, request: ApiRequest, [id]: readonly string[], hosts: Hosts): ApiAnswer {
  const { release, asset } = state.findAsset(Number(id))
  if (release.draft && request.rights !== 'write') throw notFound()
  if (request.headers['accept'] !== 'application/octet-stream')
    return { status: 200, data: showAsset(state, release, asset, hosts) }
  if (asset.state !== 'uploaded') throw notFound()
  return { status: 302, download: { releaseId: release.id, assetId: asset.id } }
}

function renameAsset(state: DoubleState, request: ApiRequest, [id]: readonly string[], hosts: Hosts): ApiAnswer {
  const body = bodyOf<NonNullable<BodyOf<'repos/update-release-asset'>>>(request, ['name', 'label'])
  const { release, asset } = state.findAsset(Number(id))
  assertChangeable(release, 'Cannot update assets of an immutable release.')
  if (body.name !== undefined && body.name !== asset.name) asset.name = state.nameFor(release, body.name)
  return { status: 200, data: showAsset(state, release, asset, hosts) }
}

function deleteAsset(state: DoubleState, _: ApiRequest, [id]: readonly string[]): ApiAnswer {
  const { release, asset } = state.findAsset(Number(id))
  assertChangeable(release, 'Cannot delete asset from an immutable release')
  release.assets.delete(asset.id)
  return { status: 204 }
}

function assertChangeable({ immutable }: DoubleRelease, message: string): void {
  if (immutable) throw new Refusal(422, message)
}

function getRef(state: DoubleState, _: ApiRequest, [name = '']: readonly string[], hosts: Hosts): ApiAnswer {
  if (state.refs.size === 0) throw new Refusal(409, 'Git Repository is empty.')
  const sha = state.refs.get(`refs/${name}`)
  if (sha === undefined) throw notFound()
  return { status: 200, data: showRef(`refs/${name}`, sha, hosts) }
}

function createRef(state: DoubleState, request: ApiRequest, _: readonly string[], hosts: Hosts): ApiAnswer {
  const { ref, sha } = bodyOf<BodyOf<'git/create-ref'>>(request, ['ref', 'sha'])
  if (!/^refs\/[^/]+\/./.test(ref)) throw new Refusal(422, 'Reference name is not valid')
  if (!state.commits.has(sha)) throw new Refusal(422, 'Object does not exist')
  if (state.refs.has(ref)) throw new Refusal(422, 'Reference already exists')
  state.refs.set(ref, sha)
  return { status: 201, data: showRef(ref, sha, hosts) }
}

function updateRef(state: DoubleState, request: ApiRequest, [name = '']: readonly string[], hosts: Hosts): ApiAnswer {
  const { sha, force } = bodyOf<BodyOf<'git/update-ref'>>(request, ['sha', 'force'])
  const before = state.refs.get(`refs/${name}`)
  if (before === undefined) throw new Refusal(422, 'Reference does not exist')
  if (force !== true && !state.isAncestor(before, sha)) throw new Refusal(422, 'Update is not a fast forward')
  state.refs.set(`refs/${name}`, sha)
  return { status: 200, data: showRef(`refs/${name}`, sha, hosts) }
}

function deleteRef(state: DoubleState, _: ApiRequest, [name = '']: readonly string[]): ApiAnswer {
  if (!state.refs.delete(`refs/${name}`)) throw new Refusal(422, 'Reference does not exist')
  return { status: 204 }
}

function createCommit(state: DoubleState, request: ApiRequest, _: readonly string[], hosts: Hosts): ApiAnswer {
  const members = ['message', 'tree', 'parents'] as const
  const { message, tree, parents = [] } = bodyOf<BodyOf<'git/create-commit'>>(request, members)
  if (![...state.commits.values()].some((commit) => commit.tree === tree))
    throw new Refusal(422, 'Tree SHA does not exist')
  if (parents.some((parent) => !state.commits.has(parent))) throw new Refusal(422, 'Parent SHA does not exist')
  return getCommit(state, request, [state.addCommit({ message, tree, parents })], hosts, 201)
}

function getCommit(
  state: DoubleState,
  _: ApiRequest,
  [sha = '']: readonly string[],
  hosts: Hosts,
  status = 200,
): ApiAnswer {
  const commit = state.commits.get(sha)
  if (commit === undefined) throw notFound()
  return { status, data: showCommit(sha, commit, hosts) }
}

/** The service ignores members that it does not know; here each one is an error of the client. */
function bodyOf<Body extends object>({ body }: ApiRequest, members: readonly (keyof Body & string)[]): Body {
  const parsed = JSON.parse(body.toString()) as Body
  const unknown = Object.keys(parsed).filter((name) => !(members as readonly string[]).includes(name))
  if (unknown.length > 0) throw new Error(`members that the double does not know: ${unknown.join(', ')}`)
  return parsed
}
