// A project whose roles are split, on two machines that share nothing but the published folder and the root: one has the
// release keys and the sources, the other the rollout key.

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { encodeBase64, formatDate, type JsonObject, readRoot, type Root } from '../../manifests/index.ts'
import { documentBytes } from '../../release/document-bytes.ts'
import { type ReleaseDeps, type ReleaseResult, setRollout, type SetRolloutOptions } from '../../release/index.ts'
import { signDocument } from '../../release/sign.ts'
import { formatKeyFile } from '../../release/signers/key-file.ts'
import { type Signer, signerOfSeed } from '../../release/signers/signer.ts'
import { type Fixture, makeProject, temporaryFolder } from './project-fixture.ts'

export const SEEDS = {
  root: new Uint8Array(32).fill(11),
  release: new Uint8Array(32).fill(12),
  second: new Uint8Array(32).fill(13),
  rollout: new Uint8Array(32).fill(14),
} as const
export const SIGNERS = Object.fromEntries(
  Object.entries(SEEDS).map(([name, seed]) => [name, signerOfSeed(seed)]),
) as Readonly<Record<keyof typeof SEEDS, Signer>>

export interface SplitProject extends Fixture {
  readonly root: Root
  /** The machine with the rollout key. */
  readonly rollout: {
    readonly dir: string
    readonly config: string
    readonly set: (options: SetRolloutOptions, deps?: ReleaseDeps) => Promise<ReleaseResult>
  }
}

export async function makeSplitProject(
  t: TestContext,
  { releaseThreshold = 1 }: { releaseThreshold?: number } = {},
): Promise<SplitProject> {
  const project = await makeProject(t)
  const { dir, updates } = project
  await rm(join(dir, 'keys/moult.key'))
  const root = await makeSplitRoot(releaseThreshold)
  await writeFile(join(dir, 'trust/1.root.json'), documentBytes(root))
  for (const name of ['release', 'second'] as const) await writeKey(dir, name)
  const names = releaseThreshold === 1 ? 'keys/release.key' : ['keys/release.key', 'keys/second.key']
  await project.change({ keys: { release: names } })

  const other = await temporaryFolder(t)
  const config = join(other, 'moult.config.json')
  await mkdir(join(other, 'keys'), { mode: 0o700 })
  await mkdir(join(other, 'trust'))
  await writeFile(join(other, 'trust/1.root.json'), documentBytes(root))
  await writeKey(other, 'rollout')
  await writeFile(
    config,
    JSON.stringify({
      name: 'probe',
      build: { type: 'command', command: 'false' },
      publish: { type: 'directory', path: updates },
      keys: { rollout: 'keys/rollout.key' },
    }),
  )
  const set = (options: SetRolloutOptions, deps: ReleaseDeps = {}): Promise<ReleaseResult> =>
    setRollout({ config, ...options }, { env: {}, ...deps })
  return { ...project, root: readRoot(root), rollout: { dir: other, config, set } }
}

async function makeSplitRoot(releaseThreshold: number): Promise<JsonObject> {
  const role = (threshold: number, ...signers: Signer[]): JsonObject => ({
    keys: signers.map(({ keyId }) => keyId),
    threshold,
  })
  const { root, release, second, rollout } = SIGNERS
  const keys = [root, release, second, rollout].map(({ keyId, publicKey }) => [
    keyId,
    { type: 'ed25519', public: encodeBase64(publicKey) },
  ])
  const document: JsonObject = {
    format: 'moult-root/1',
    name: 'probe',
    version: 1,
    expires: formatDate(Date.now() + 365 * 24 * 3_600_000),
    keys: Object.fromEntries(keys) as JsonObject,
    roles: { root: role(1, root), release: role(releaseThreshold, release, second), rollout: role(1, rollout) },
  }
  return signDocument(document, ['signatures'], [root])
}

async function writeKey(dir: string, name: keyof typeof SEEDS): Promise<void> {
  await writeFile(join(dir, `keys/${name}.key`), formatKeyFile(SEEDS[name]), { mode: 0o600 })
}
