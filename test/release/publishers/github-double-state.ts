// What the double of GitHub remembers: one repository with its releases, assets, references and commits, and the rules
// that hold among them.

import { createHash, randomBytes } from 'node:crypto'

export interface DoubleAsset {
  readonly id: number
  name: string
  readonly label: string | null
  readonly contentType: string
  /** `starter`: the upload broke. The description does not know it, the service does. */
  readonly state: 'uploaded' | 'starter'
  readonly bytes: Buffer
  readonly createdAt: Date
}

export interface DoubleRelease {
  readonly id: number
  tag: string
  name: string | null
  body: string | null
  draft: boolean
  prerelease: boolean
  immutable: boolean
  readonly createdAt: Date
  publishedAt: Date | undefined
  readonly assets: Map<number, DoubleAsset>
}

export interface DoubleCommit {
  readonly tree: string
  readonly parents: readonly string[]
  readonly message: string
  readonly date: Date
}

/** An answer that is no success, with the words of the service. */
export class Refusal extends Error {
  readonly status: number
  readonly errors: readonly Record<string, string>[] | undefined

  constructor(status: number, message: string, errors?: readonly Record<string, string>[]) {
    super(message)
    this.status = status
    this.errors = errors
  }
}

export const OWNER = 'acme'
export const REPO = 'agent'
const SPECIAL = /[^A-Za-z0-9._-]+/g

export class DoubleState {
  readonly releases = new Map<number, DoubleRelease>()
  readonly commits = new Map<string, DoubleCommit>()
  readonly refs = new Map<string, string>()
  /** Tags of immutable releases, which outlive them. */
  readonly burnt = new Set<string>()
  isPrivate = false
  isArchived = false
  /** The storage answers a token beside its own signature with 400. */
  isStorageStrict = true
  /** Releases that are published from now on can no longer change. */
  isImmutable = false
  /** What is uploaded is stored as something else. */
  isDamaging = false
  /** Older servers do not tell hashes. */
  hasDigests = true
  clockOffsetMs = 0
  #latest: number | undefined
  #ids = 1000

  constructor() {
    this.refs.set('refs/heads/main', this.addCommit({ tree: shaOf('tree'), parents: [], message: 'first' }))
  }

  now(): Date {
    return new Date(Date.now() + this.clockOffsetMs)
  }

  addCommit(commit: Omit<DoubleCommit, 'date'>): string {
    const sha = shaOf(randomBytes(20))
    this.commits.set(sha, { ...commit, date: this.now() })
    return sha
  }

  isAncestor(ancestor: string, sha: string): boolean {
    return ancestor === sha || (this.commits.get(sha)?.parents.some((one) => this.isAncestor(ancestor, one)) ?? false)
  }

  releaseOf(id: number): DoubleRelease {
    const release = this.releases.get(id)
    if (release === undefined) throw notFound()
    return release
  }

  published(tag: string): DoubleRelease | undefined {
    return [...this.releases.values()].find((release) => !release.draft && release.tag === tag)
  }

  /** The one that was made it, else the youngest. */
  latest(): DoubleRelease | undefined {
    const chosen = this.#latest === undefined ? undefined : this.releases.get(this.#latest)
    if (chosen !== undefined && !chosen.draft && !chosen.prerelease) return chosen
    return [...this.releases.values()]
      .filter(({ draft, prerelease }) => !draft && !prerelease)
      .toSorted((a, b) => b.id - a.id)[0]
  }

  create(tag: string): DoubleRelease {
    const release = {
      id: this.#ids++,
      tag,
      name: null,
      body: null,
      draft: true,
      prerelease: false,
      immutable: false,
      createdAt: this.now(),
      publishedAt: undefined,
      assets: new Map<number, DoubleAsset>(),
    }
    this.releases.set(release.id, release)
    return release
  }

  publish(release: DoubleRelease, makeLatest: string): void {
    if (this.refs.size === 0) throw new Refusal(422, 'Repository is empty.')
    if (release.draft) {
      if (this.published(release.tag) !== undefined)
        throw invalid([{ resource: 'Release', code: 'already_exists', field: 'tag_name' }])
      if (this.burnt.has(release.tag))
        throw invalid([
          {
            resource: 'Release',
            code: 'custom',
            field: 'tag_name',
            message: 'tag_name was used by an immutable release',
          },
        ])
      const ref = `refs/tags/${release.tag}`
      const clash = [...this.refs.keys()].some((one) => one.startsWith(`${ref}/`) || ref.startsWith(`${one}/`))
      if (clash)
        throw invalid([{ resource: 'Release', code: 'custom', message: 'Published releases must have a valid tag' }])
      if (!this.refs.has(ref)) this.refs.set(ref, this.refs.get('refs/heads/main') ?? '')
      release.draft = false
      release.publishedAt = this.now()
      release.immutable = this.isImmutable
      if (this.isImmutable) this.burnt.add(release.tag)
    }
    if (makeLatest === 'true') this.#latest = release.id
  }

  findAsset(id: number): { readonly release: DoubleRelease; readonly asset: DoubleAsset } {
    for (const release of this.releases.values()) {
      const asset = release.assets.get(id)
      if (asset !== undefined) return { release, asset }
    }
    throw notFound()
  }

  /** The name as the service changes it. */
  nameFor(release: DoubleRelease, wanted: string): string {
    const name = wanted.replace(SPECIAL, '.').replace(/^\./, 'default.').replace(/\.+$/, '')
    if ([...release.assets.values()].some((asset) => asset.name === name))
      throw invalid([{ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' }])
    return name
  }

  addAsset(release: DoubleRelease, asset: Omit<DoubleAsset, 'id' | 'createdAt'>): DoubleAsset {
    const added = { ...asset, id: this.#ids++, createdAt: this.now() }
    release.assets.set(added.id, added)
    return added
  }
}

export function notFound(): Refusal {
  return new Refusal(404, 'Not Found')
}

export function invalid(errors: readonly Record<string, string>[]): Refusal {
  return new Refusal(422, 'Validation Failed', errors)
}

function shaOf(data: string | Buffer): string {
  return createHash('sha1').update(data).digest('hex')
}
