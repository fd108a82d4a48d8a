import { dirname, resolve } from 'node:path'

import { MoultError } from '../../manifests/index.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { type RootReview, reviewOf } from './root-facts.ts'
import { findDraft, locateDraft, readDraft, readTrustFolder } from './trust-folder.ts'

export interface ShownRoot extends RootReview {
  readonly file: string
  readonly isDraft: boolean
}

export interface ShowOptions {
  /** A root document or a draft; default: the draft, else the newest root. */
  readonly file?: string | undefined
  readonly config?: string | undefined
}

/** Looks only, and so shows also what no agent would follow. @throws MoultError ERR_CONFIG_MISSING, ERR_TRUST_ROOT or ERR_TRUST_KEY */
export async function showRoot(options: ShowOptions, deps: ReleaseDeps = {}): Promise<ShownRoot> {
  const now = surroundingsOf(deps).now()
  const draftFile = await locateDraft(options.file, options.config)
  const dir = dirname(draftFile)
  const roots = await readTrustFolder(dir)
  const newest = roots.at(-1)
  const named = options.file === undefined ? await findDraft(draftFile) : await readDraft(draftFile)
  const root = named?.root ?? newest
  if (root === undefined) {
    throw new MoultError('ERR_CONFIG_MISSING', `neither a draft nor a root: ${dir}`, {
      hint: 'Begin with `moult init` or `moult root init`, or name a root document.',
      details: { dir },
    })
  }
  const file = named?.file ?? `${dir}/${root.version}.root.json`
  const previous = roots.find(({ version }) => version === root.version - 1)
  const isDraft = !roots.some(({ version }) => version === root.version) || resolve(draftFile) !== resolve(file)
  return { file, isDraft: named !== undefined && isDraft, ...reviewOf(root, previous, now) }
}
