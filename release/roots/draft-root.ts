// Begins a draft, or changes one: `moult root init`, `add-key`, `remove-key`, `rotate`.

import { dirname } from 'node:path'

import { MoultError, type RoleName, type Root } from '../../manifests/index.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { editRoot, firstRoot, nextRoot, type RoleKeys, type RootEdit } from './edit-root.ts'
import { DEFAULT_ROOT_LIFETIME, parseExpiry } from './root-expiry.ts'
import { type RootReview, reviewOf } from './root-facts.ts'
import { type Draft, findDraft, locateDraft, readTrustFolder, writeDraft } from './trust-folder.ts'

export interface DraftResult extends RootReview {
  readonly kind: 'drafted' | 'planned'
  readonly file: string
  /** How many signatures the draft had before it was changed; they covered something else. */
  readonly dropped: number
}

export interface DraftPlace {
  /** The draft; default: `draft.root.json` beside the root of the configuration, or in `trust`. */
  readonly file?: string | undefined
  /** The configuration, for the default of `file`. */
  readonly config?: string | undefined
  /** Say what would change, and write nothing. */
  readonly plan?: boolean | undefined
}

export interface BeginOptions extends DraftPlace {
  readonly name: string
  readonly roles: Readonly<Record<RoleName, RoleKeys>>
  /** E.g. `5y`, the default, or a date. */
  readonly expires?: string | undefined
}

/** @throws MoultError ERR_USAGE_EXISTS where there is a draft or a root already, or what `readRoot` throws */
export async function beginRoot(options: BeginOptions, deps: ReleaseDeps = {}): Promise<DraftResult> {
  const now = surroundingsOf(deps).now()
  const file = await locateDraft(options.file, options.config)
  const [newest] = (await readTrustFolder(dirname(file))).slice(-1)
  if (newest !== undefined) {
    throw new MoultError('ERR_USAGE_EXISTS', `there is a root ${newest.version} already: ${dirname(file)}`, {
      hint: 'Agents that pin it need its successor: change it with `moult root add-key`, `remove-key` or `rotate`.',
      details: { file, root: newest.version },
    })
  }
  if ((await findDraft(file)) !== undefined) {
    throw new MoultError('ERR_USAGE_EXISTS', `there is a draft already: ${file}`, {
      hint: 'Go on with it, or remove the file to begin again.',
      details: { file },
    })
  }
  const root = firstRoot(options.name, parseExpiry(options.expires ?? DEFAULT_ROOT_LIFETIME, now), options.roles)
  return keep({ file, root, previous: undefined, before: undefined, now }, options)
}

export interface ChangeOptions extends DraftPlace {
  /** The root that the draft follows; default: the newest beside it. */
  readonly previous?: string | undefined
  readonly edits: readonly RootEdit[]
  readonly expires?: string | undefined
}

/**
 * Changes the draft, or begins one from the newest root where there is none.
 * @throws MoultError ERR_USAGE_*, ERR_CONFIG_MISSING, ERR_TRUST_ROOT or ERR_TRUST_KEY; nothing was written then
 */
export async function changeRoot(options: ChangeOptions, deps: ReleaseDeps = {}): Promise<DraftResult> {
  const now = surroundingsOf(deps).now()
  const file = await locateDraft(options.file, options.config)
  const before = await findDraft(file)
  const previous = await findPrevious(file, options.previous, before?.root)
  const base = before?.root ?? (previous === undefined ? undefined : nextRoot(previous))
  if (base === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', `neither a draft nor a root to begin from: ${dirname(file)}`, {
      hint: 'Begin with `moult root init` or `moult init`, or name the newest root with --previous.',
    })
  }
  const { expires } = options
  const later: RootEdit[] = expires === undefined ? [] : [{ kind: 'expires', at: parseExpiry(expires, now) }]
  const root = editRoot(base, [...options.edits, ...later])
  return keep({ file, root, previous, before, now }, options)
}

/**
 * The root that a draft follows: as named, else the newest beside it.
 * @throws MoultError ERR_TRUST_ROOT when the draft is not newer than that, ERR_CONFIG_MISSING when it does not follow it
 */
export async function findPrevious(file: string, from: string | undefined, draft?: Root): Promise<Root | undefined> {
  const roots = await readTrustFolder(dirname(file), from)
  const newest = roots.at(-1)
  if (draft === undefined) return newest
  if (newest !== undefined && newest.version >= draft.version) {
    const text = `root ${newest.version} exists; the draft is of root ${draft.version}: ${file}`
    throw new MoultError('ERR_TRUST_ROOT', text, {
      hint: 'A publish that was stopped is finished by `moult root publish`. Otherwise remove the draft, and begin again.',
      details: { file, root: newest.version, draft: draft.version },
    })
  }
  if (draft.version === 1 || newest?.version === draft.version - 1) return newest
  throw new MoultError('ERR_CONFIG_MISSING', `root ${draft.version - 1} is not here: ${file}`, {
    hint: 'Name it with --previous. What a draft changes can only be told against your own copy of it.',
    details: { file, root: draft.version - 1 },
  })
}

interface Change {
  readonly file: string
  readonly root: Root
  readonly previous: Root | undefined
  readonly before: Draft | undefined
  readonly now: number
}

async function keep({ file, root, previous, before, now }: Change, { plan }: DraftPlace): Promise<DraftResult> {
  if (plan !== true) await writeDraft(file, root, before)
  const signatures = before?.root.document['signatures']
  const dropped = Array.isArray(signatures) ? signatures.length : 0
  return { kind: plan === true ? 'planned' : 'drafted', file, dropped, ...reviewOf(root, previous, now) }
}
