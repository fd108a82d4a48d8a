// The names of platforms are Go's, and an agent looks for its own. Another name would be signed, and never be asked for.

import { type Platform, PLATFORM_PATTERN, shape } from '../manifests/index.ts'

const { array, ShapeMismatch, string } = shape

const OTHER_OS: ReadonlyMap<string, string> = new Map(
  Object.entries({ win32: 'windows', win: 'windows', win64: 'windows', macos: 'darwin', mac: 'darwin', osx: 'darwin' }),
)
const OTHER_ARCH: ReadonlyMap<string, string> = new Map(
  Object.entries({
    x64: 'amd64',
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
    armv8: 'arm64',
    armv7l: 'arm',
    armv7: 'arm',
    armv6l: 'arm',
    armhf: 'arm',
    ia32: '386',
    x86: '386',
    i386: '386',
    i686: '386',
    mipsel: 'mipsle',
    loongarch64: 'loong64',
  }),
)

const text = string({ pattern: PLATFORM_PATTERN, says: 'a platform such as linux-amd64' })

const platformShape: shape.Shape<Platform> = {
  check(value, at) {
    const known = typeof value === 'string' ? goPlatformOf(value) : undefined
    if (known !== undefined && known !== value)
      throw new ShapeMismatch(at, "a platform in Go's names", JSON.stringify(value), known)
    return text.check(value, at)
  },
  schema: text.schema,
}

const list = array(platformShape, { min: 1, max: 64 })

export const platformsShape: shape.Shape<Platform[]> = {
  check(value, at) {
    const platforms = list.check(value, at)
    const index = platforms.findIndex((platform, position) => platforms.indexOf(platform) < position)
    if (index >= 0) throw new ShapeMismatch(`${at}[${index}]`, 'each platform once', JSON.stringify(platforms[index]))
    return platforms
  },
  schema: { ...list.schema, uniqueItems: true },
}

/** What somebody means by names of Node, uname or a vendor; undefined for what is no platform. */
function goPlatformOf(name: string): Platform | undefined {
  const [, os = '', arch = ''] = /^([a-z0-9]+)-(.+)$/.exec(name.toLowerCase()) ?? []
  const platform = `${OTHER_OS.get(os) ?? os}-${OTHER_ARCH.get(arch) ?? arch}`
  return PLATFORM_PATTERN.test(platform) ? platform : undefined
}
