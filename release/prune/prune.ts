// list -> verify every manifest -> read every release -> choose -> judge -> remove

import { MoultError, parseDuration } from '../../manifests/index.ts'
import { assertClock } from '../assert-clock.ts'
import { openProject, type Project } from '../open-project.ts'
import { type ReleaseDeps, step, type Surroundings, surroundingsOf } from '../surroundings.ts'
import { chooseKept, type KeepTerms } from './choose-kept.ts'
import { type JudgedFile, judgeFiles } from './judge-files.ts'
import { readOffers } from './read-offers.ts'
import { readReleases } from './read-releases.ts'

export const DEFAULT_KEEP = 10
/** The live release and the one before it: caches may go on to serve the manifest before for a while. */
const KEEP_MIN = 2

export interface PruneOptions {
  /** The configuration file; default `moult.config.json` in the working directory. */
  readonly config?: string | undefined
  /** How many releases of each channel stay, the live one among them; at least 2, default 10. */
  readonly keep?: number | undefined
  /** A duration such as `30d`: what was released later stays, too. */
  readonly olderThan?: string | undefined
  /** Say what would be removed, and change nothing. */
  readonly plan?: boolean | undefined
  /** Paths of a plan that somebody has seen: nothing else is removed. */
  readonly agreed?: readonly string[] | undefined
}

/** Plain data, as `--json` prints it. */
export interface PruneResult {
  readonly kind: 'pruned' | 'planned' | 'unchanged'
  readonly name: string
  readonly target: string
  /** Everything published; first what goes, in the order of removal. */
  readonly files: readonly JudgedFile[]
}

/**
 * Removes published artifacts and release documents that nothing needs, under the lock of the place. When a live manifest
 * cannot be read or verified, or is not whole, nothing is removed. A run that was stopped is finished by the next one.
 * @throws MoultError ERR_PUBLISH_CONFLICT while a release is published, ERR_PUBLISH_FAILED, ERR_USAGE_INVALID, ...
 */
export async function prune(options: PruneOptions = {}, deps: ReleaseDeps = {}): Promise<PruneResult> {
  const around = surroundingsOf(deps)
  const terms = termsOf(options, around.now())
  const project = await openProject(options.config, around, [])
  // Expiry and age are judged by this clock.
  await assertClock(project, around)
  const unlock = options.plan === true ? async () => {} : await project.publisher.lock('prune')
  try {
    const files = agreedOnly(await judge(project, terms, around), options.agreed)
    const going = files.filter(({ action }) => action === 'remove')
    if (options.plan !== true)
      for (const { path } of going) await step(around, 'remove', path, () => project.publisher.remove(path))
    const done = going.length > 0 ? 'pruned' : 'unchanged'
    const { name, publisher } = project
    return { kind: options.plan === true ? 'planned' : done, name, target: publisher.target, files }
  } finally {
    await unlock()
  }
}

async function judge(project: Project, terms: KeepTerms, around: Surroundings): Promise<JudgedFile[]> {
  const files = await project.publisher.list('')
  const offers = await readOffers(files, terms.keep, project, around.now())
  const found = await readReleases(files, project, around)
  const known = found.filter((one) => one.kind === 'known')
  return judgeFiles({ name: project.name, files, found, offers, kept: chooseKept(known, offers, terms) })
}

/** A release that went live after the plan may have made one more old; nobody has seen that. */
function agreedOnly(files: readonly JudgedFile[], agreed: readonly string[] | undefined): readonly JudgedFile[] {
  if (agreed === undefined) return files
  const isAgreed = new Set(agreed)
  return files.map((file) =>
    file.action === 'remove' && !isAgreed.has(file.path)
      ? { ...file, action: 'keep', why: 'not in the plan that was agreed to' }
      : file,
  )
}

function termsOf({ keep = DEFAULT_KEEP, olderThan }: PruneOptions, now: number): KeepTerms {
  if (!Number.isSafeInteger(keep) || keep < KEEP_MIN) {
    throw new MoultError('ERR_USAGE_INVALID', `--keep: expected a whole number of at least ${KEEP_MIN}, got ${keep}`, {
      hint: 'The live release and the one before it stay: agents behind a cache may still be told of that one.',
      details: { option: 'keep', expected: `at least ${KEEP_MIN}`, got: keep },
    })
  }
  const ageMs = olderThan === undefined ? undefined : parseDuration(olderThan)
  if (olderThan !== undefined && ageMs === undefined) {
    throw new MoultError(
      'ERR_USAGE_INVALID',
      `--older-than: expected a duration such as 30d, got ${JSON.stringify(olderThan)}`,
      { details: { option: 'older-than', got: olderThan } },
    )
  }
  return { keep, keepSinceMs: ageMs === undefined ? undefined : now - ageMs }
}
