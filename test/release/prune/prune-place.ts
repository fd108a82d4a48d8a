// What the tests of pruning have in common: a project with releases, statements that no command makes yet, and a look at
// whether every release that is left is whole.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  type JsonObject,
  MANIFEST_MAX_BYTES,
  parseStrictJson,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  statementDigest,
} from '../../../manifests/index.ts'
import { documentBytes } from '../../../release/document-bytes.ts'
import {
  openPublisher,
  openSigner,
  prune,
  type PruneOptions,
  type PruneResult,
  type Publisher,
  readConfig,
  readRoots,
  type ReleaseDeps,
  verifyPublished,
} from '../../../release/index.ts'
import { surroundingsOf } from '../../../release/surroundings.ts'
import { verifyRelease } from '../../../release/verify-release.ts'
import { openProject } from '../../../release/open-project.ts'
import { parseReleased } from '../../../release/released.ts'
import { signDocument } from '../../../release/sign.ts'
import type { Fixture } from '../project-fixture.ts'

/** Of each version a document and one file. */
export const SMALL = { platforms: ['linux-amd64'], compress: false, attest: false } as const

/** Other bytes for each version, so that no two releases share a hash. */
export async function releaseEach(
  project: Fixture,
  versions: readonly string[],
  channel?: string,
  deps: ReleaseDeps = {},
): Promise<void> {
  for (const version of versions) {
    await project.writeAgents(`echo ${version}`)
    await project.release(version, channel === undefined ? {} : { channel }, deps)
  }
}

export function pruneOf({ config }: Fixture, options: PruneOptions = {}, deps: ReleaseDeps = {}): Promise<PruneResult> {
  return prune({ config, ...options }, { env: {}, ...deps })
}

export function pathsOf({ files }: PruneResult, action: PruneResult['files'][number]['action']): string[] {
  return files.filter((file) => file.action === action).map(({ path }) => path)
}

/** Why a path is kept, removed or left. */
export function whyOf({ files }: PruneResult, path: string): string {
  const file = files.find((one) => one.path === path)
  return file === undefined ? 'not listed' : `${file.action}: ${file.why}`
}

export async function publisherOf({ config }: Pick<Fixture, 'config'>, deps: ReleaseDeps = {}): Promise<Publisher> {
  const loaded = await readConfig(config)
  return openPublisher(loaded.config, loaded.dir, { env: {}, ...deps })
}

export async function versionsIn(publisher: Publisher): Promise<string[]> {
  const files = await publisher.list('releases/')
  return files.map(({ path }) => path.replace(/^releases\/|\.json$/g, ''))
}

/** Every live manifest verifies, and every release document that is there has all its bytes. */
export async function assertWhole(
  { config, dir }: Fixture,
  publisher: Publisher,
  env: Record<string, string> = {},
): Promise<void> {
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  const around = surroundingsOf({ env })
  const project = await openProject(config, around, [])
  for (const channel of await publisher.channels())
    await verifyPublished({ place: publisher, root, channel, baseUrl: project.config.baseUrl })
  for (const version of await versionsIn(publisher)) {
    const bytes = await publisher.read(`releases/${version}.json`, MANIFEST_MAX_BYTES)
    assert.ok(bytes !== undefined)
    const released = parseReleased(bytes, version, project)
    await verifyRelease(released, { place: publisher, baseUrl: project.config.baseUrl }, project, around)
  }
}

/** The live manifest of a folder with other members, signed as they are; `next` is written over it. */
export async function changeLive(
  { dir, updates }: Fixture,
  change: { readonly rollout?: object; readonly release?: (release: JsonObject) => void },
): Promise<void> {
  const signers = [await openSigner('keys/moult.key', dir, surroundingsOf({ env: {} }))]
  const path = join(updates, 'version.json')
  const { rollout, trust: _, ...document } = parseStrictJson(await readFile(path)) as JsonObject
  let release = document
  if (change.release !== undefined) {
    change.release(release)
    const { signatures: _signatures, ...unsigned } = release
    release = await signDocument(unsigned, RELEASE_UNSIGNED, signers)
    await writeFile(join(updates, `releases/${release['version'] as string}.json`), documentBytes(release))
  }
  const { signatures: _signatures, ...before } = rollout as JsonObject
  const next = {
    ...before,
    sequence: Number(before['sequence']) + 1,
    release: statementDigest(release, RELEASE_UNSIGNED),
    ...change.rollout,
  } as JsonObject
  const signed = await signDocument(next, ROLLOUT_UNSIGNED, signers)
  await writeFile(path, documentBytes({ ...release, rollout: signed }))
}
