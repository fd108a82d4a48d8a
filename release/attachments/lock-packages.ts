// The packages of a package-lock.json (format 2 and 3), as components of an SBOM.

/** A component of CycloneDX 1.5, as far as it is used here. */
export interface Component {
  readonly type: 'application' | 'file' | 'library' | 'platform'
  readonly 'bom-ref': string
  readonly group?: string
  readonly name: string
  readonly version?: string
  readonly scope?: 'required' | 'optional'
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  readonly licenses?: readonly ({ readonly expression: string } | { readonly license: { readonly name: string } })[]
  readonly purl?: string
  readonly properties?: readonly { readonly name: string; readonly value: string }[]
}

export interface LockedPackages {
  /** Sorted by their reference, each once. */
  readonly components: readonly Component[]
  /** References of what the project itself depends on. */
  readonly direct: readonly string[]
  readonly dependsOn: ReadonlyMap<string, readonly string[]>
}

interface Entry {
  readonly name?: string
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
  readonly link?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const ALGORITHMS: Readonly<Record<string, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha384: 'SHA-384',
  sha512: 'SHA-512',
}
/** Of the form of an SPDX expression; npm also has sentences such as `SEE LICENSE IN x` here. */
const SPDX = /^\(?[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)*\)?$/

/** Undefined for text that lists no packages: no JSON, or a format of before npm 7. */
export function readLockPackages(text: string): LockedPackages | undefined {
  const packages = parsePackages(text)
  if (packages === undefined) return undefined
  const refs = new Map<string, string>()
  const components = new Map<string, Component>()
  for (const [path, entry] of Object.entries(packages)) {
    const component = componentOf(path, entry)
    if (component === undefined) continue
    refs.set(path, component['bom-ref'])
    // Installed at several places: needed somewhere is needed.
    const known = components.get(component['bom-ref'])
    components.set(component['bom-ref'], known?.scope === 'required' ? known : component)
  }
  const dependsOn = new Map<string, string[]>()
  for (const [path, ref] of refs) {
    const found = neededBy(path, packages[path] ?? {}, refs)
    dependsOn.set(ref, sorted([...(dependsOn.get(ref) ?? []), ...found]))
  }
  return {
    components: [...components.values()].toSorted((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)),
    direct: sorted(neededBy('', packages[''] ?? {}, refs)),
    dependsOn,
  }
}

function parsePackages(text: string): Readonly<Record<string, Entry>> | undefined {
  try {
    const { packages } = JSON.parse(text) as { packages?: unknown }
    const isMap = typeof packages === 'object' && packages !== null && !Array.isArray(packages)
    return isMap ? (packages as Record<string, Entry>) : undefined
  } catch {
    return undefined
  }
}

/** Undefined for the project itself, and for the link to a package that is listed by its own folder. */
function componentOf(path: string, entry: Entry): Component | undefined {
  const { version, integrity = '', license, dev, optional, devOptional, link } = entry
  const fullName = entry.name ?? path.split('node_modules/').at(-1)
  if (path === '' || link === true || fullName === undefined || version === undefined) return undefined
  const [, group, name = fullName] = /^(@[^/]+)\/(.+)$/.exec(fullName) ?? []
  const purl = `pkg:npm/${group === undefined ? '' : `%40${group.slice(1)}/`}${name}@${encodeURIComponent(version)}`
  const hashes = hashesOf(integrity)
  const isOptional = dev === true || optional === true || devOptional === true
  return {
    type: 'library',
    'bom-ref': purl,
    ...(group === undefined ? {} : { group }),
    name,
    version,
    scope: isOptional ? 'optional' : 'required',
    ...(hashes.length === 0 ? {} : { hashes }),
    ...(license === undefined
      ? {}
      : { licenses: [SPDX.test(license) ? { expression: license } : { license: { name: license } }] }),
    purl,
    // As npm's own SBOM says it. A bundler may put such a package into the agent all the same, so it is listed.
    ...(dev === true ? { properties: [{ name: 'cdx:npm:package:development', value: 'true' }] } : {}),
  }
}

function hashesOf(integrity: string): { alg: string; content: string }[] {
  return integrity.split(/\s+/).flatMap((each) => {
    const [, name = '', base64 = ''] = /^(sha\d+)-([A-Za-z0-9+/=]+)/.exec(each) ?? []
    const alg = ALGORITHMS[name]
    return alg === undefined ? [] : [{ alg, content: Buffer.from(base64, 'base64').toString('hex') }]
  })
}

/** What Node would find from the folder of a package: beside it, or in a folder above. */
function neededBy(path: string, entry: Entry, refs: ReadonlyMap<string, string>): string[] {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = entry
  const names = Object.keys({
    ...dependencies,
    ...(path === '' ? devDependencies : {}),
    ...optionalDependencies,
    ...peerDependencies,
  })
  return names.flatMap((name) => {
    for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
      const ref = refs.get(`${at === '' ? '' : `${at}/`}node_modules/${name}`)
      if (ref !== undefined) return [ref]
      if (at === '') return []
    }
  })
}

function sorted(refs: readonly string[]): string[] {
  return [...new Set(refs)].toSorted()
}
