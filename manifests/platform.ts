/** `<os>-<arch>` in Go's names, e.g. `linux-amd64`. */
export type Platform = string

export const PLATFORM_PATTERN = /^[a-z0-9]{1,16}-[a-z0-9_]{1,16}$/

const GO_OS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' }
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle', ppc64: 'ppc64le' }

/**
 * The platform of a Node process in Go's names.
 * @param os `process.platform`, @param arch `process.arch`
 */
export function platformOf(os: string, arch: string): Platform {
  return `${GO_OS[os] ?? os}-${GO_ARCH[arch] ?? arch}`
}
