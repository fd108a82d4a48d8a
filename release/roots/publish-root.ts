// A complete draft becomes the next root: kept in the trust folder, published beside the others, and carried to agents by
// the live manifest of every channel. The way from the plan on is that of a release: plan -> verify -> write -> read back.
//
// A run that was stopped is finished by running it again: roots are never overwritten, and a channel that carries the
// newest root is left as it is.

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import { isMoultError, MoultError, type Root, statementDigest } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { DEFAULT_PLATFORMS } from '../config.ts'
import { DEFAULT_ROOT_FILE, type Project } from '../open-project.ts'
import { openPublisher, withBaseUrl } from '../publishers/open-publisher.ts'
import { type LoadedConfig, readConfig } from '../read-config.ts'
import { type ReleaseDeps, type Surroundings, surroundingsOf } from '../surroundings.ts'
import {
  type Blocked,
  type ChannelOptions,
  planChannels,
  type PlannedChannels,
  reissueChannel,
  type ReissuedChannel,
} from './plan-channels.ts'
import { type RootReview, reviewOf } from './root-facts.ts'
import { assertComplete, assertNext } from './root-signatures.ts'
import { withoutIdleSignatures } from './sign-draft.ts'
import { DRAFT_NAME, findDraft, readDraft, readTrustFolder, removeDraft, writeRoot } from './trust-folder.ts'

export interface PublishRootOptions extends ChannelOptions {
  readonly config?: string | undefined
  /** The draft; default: `draft.root.json` beside the root of the configuration, or in `trust`. */
  readonly file?: string | undefined
  /** Put the root in place only; the next release carries it to agents. */
  readonly keepManifest?: boolean | undefined
}

export interface PublishRootResult extends RootReview {
  readonly kind: 'published' | 'planned' | 'unchanged'
  /** Where the root lies in the trust folder. */
  readonly file: string
  /** Where it was published; absent without a configuration, or when only the file was put in place. */
  readonly target?: string
  readonly channels: readonly ReissuedChannel[]
  readonly blocked?: Blocked
}

/** @throws MoultError ERR_TRUST_*, ERR_CONFIG_* or ERR_PUBLISH_*; live manifests that were not reached are unchanged */
export async function publishRoot(
  options: PublishRootOptions = {},
  deps: ReleaseDeps = {},
): Promise<PublishRootResult> {
  const around = surroundingsOf(deps)
  const loaded = await findConfig(options)
  const next = await openNext(options, loaded, around)
  const project = loaded && options.keepManifest !== true ? await projectOf(loaded, next.roots, around) : undefined
  if (project !== undefined) await assertClock(project, around)
  const planned: PlannedChannels =
    project === undefined ? { channels: [] } : await planChannels(project, options, next, around)
  const done = options.plan === true ? planned.channels : await carryOut(project, planned, options, next, around)
  return {
    kind: options.plan === true ? 'planned' : next.isNew || done.length > 0 ? 'published' : 'unchanged',
    file: next.file,
    ...(project === undefined ? {} : { target: project.publisher.target }),
    ...reviewOf(next.root, next.roots.at(-2), around.now()),
    channels: done,
    ...(planned.blocked === undefined ? {} : { blocked: planned.blocked }),
  }
}

/** The root first: what a manifest carries MUST be on record, so that the next release carries it too. */
async function carryOut(
  project: Project | undefined,
  planned: PlannedChannels,
  options: PublishRootOptions,
  next: NextRoot,
  around: Surroundings,
): Promise<readonly ReissuedChannel[]> {
  if (next.isNew) await writeRoot(next.file, next.root, 'create')
  const done: ReissuedChannel[] = []
  if (project !== undefined) {
    for (const { channel, version } of planned.channels)
      done.push(await reissueChannel({ channel, version, isPlan: false }, project, options, next, around))
  }
  await next.dropDraft()
  return done
}

/** Undefined where there is none and none was named: then the root document is all there is to put in place. */
async function findConfig({ config }: PublishRootOptions): Promise<LoadedConfig | undefined> {
  try {
    return await readConfig(config)
  } catch (error) {
    if (config === undefined && isMoultError(error) && error.code === 'ERR_CONFIG_MISSING') return undefined
    throw error
  }
}

interface NextRoot {
  readonly root: Root
  /** All of them, the newest last. */
  readonly roots: readonly [Root, ...Root[]]
  /** False when a run before this one put it in place. */
  readonly isNew: boolean
  readonly file: string
  readonly trustDir: string
  readonly dropDraft: () => Promise<void>
}

async function openNext(
  options: PublishRootOptions,
  loaded: LoadedConfig | undefined,
  around: Surroundings,
): Promise<NextRoot> {
  const pinned = loaded && resolve(loaded.dir, loaded.config.root ?? DEFAULT_ROOT_FILE)
  const trustDir = pinned === undefined ? dirname(options.file ?? DEFAULT_ROOT_FILE) : dirname(pinned)
  const draftFile = options.file ?? join(trustDir, DRAFT_NAME)
  const roots = await readTrustFolder(trustDir, pinned !== undefined && existsSync(pinned) ? pinned : undefined)
  const newest = roots.at(-1)
  const draft = options.file === undefined ? await findDraft(draftFile) : await readDraft(draftFile)
  const fileOf = ({ version }: Root): string => join(trustDir, `${version}.root.json`)
  // A draft on a medium that travels is left there.
  const isOwn = resolve(draftFile) === resolve(trustDir, DRAFT_NAME)
  const dropDraft = async (): Promise<void> => (isOwn ? removeDraft(draftFile) : undefined)

  if (newest !== undefined && (draft === undefined || isSame(draft.root, newest))) {
    return { root: newest, roots: asChain(roots), isNew: false, file: fileOf(newest), trustDir, dropDraft }
  }
  const { root: complete } = draft ?? (await readDraft(draftFile))
  assertNext(complete, newest)
  assertComplete(complete, newest, around.now())
  const root = withoutIdleSignatures(complete, newest)
  return { root, roots: asChain([...roots, root]), isNew: true, file: fileOf(root), trustDir, dropDraft }
}

function isSame(a: Root, b: Root): boolean {
  return statementDigest(a.document, ['signatures']) === statementDigest(b.document, ['signatures'])
}

function asChain([first, ...later]: readonly Root[]): [Root, ...Root[]] {
  if (first === undefined) throw new MoultError('ERR_BUG', 'a chain without a root')
  return [first, ...later]
}

/** Without signers: they are opened when it is known which of them are needed. */
async function projectOf(
  { config, dir }: LoadedConfig,
  roots: readonly [Root, ...Root[]],
  around: Surroundings,
): Promise<Project> {
  if (roots[0].name !== config.name) {
    throw new MoultError('ERR_TRUST_ROOT', `for ${roots[0].name} instead of ${config.name}: root ${roots[0].version}`)
  }
  const publisher = await openPublisher(config, dir, around)
  const platforms = config.platforms ?? [...DEFAULT_PLATFORMS]
  const own = withBaseUrl(config, publisher)
  return { config: own, dir, name: config.name, platforms, roots, signers: { release: [], rollout: [] }, publisher }
}
