// Co-signing: one key at a time, on whatever machine it is kept. The signer sees first what the signature brings about,
// measured against the previous root that lies on *this* machine, not against what the draft says of itself.

import { type JsonValue, MoultError, parseStrictJson, readRoot, type Root } from '../../manifests/index.ts'
import { documentBytes } from '../document-bytes.ts'
import { signDocument } from '../sign.ts'
import type { Signer } from '../signers/signer.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { findPrevious } from './draft-root.ts'
import { type RootReview, reviewOf } from './root-facts.ts'
import { assertComplete, assertNext, signersOf } from './root-signatures.ts'
import { type Draft, locateDraft, readDraft, writeDraft } from './trust-folder.ts'

export interface ReviewOptions {
  readonly file?: string | undefined
  readonly config?: string | undefined
  /** The root before the draft; default: `<n-1>.root.json` beside it. */
  readonly previous?: string | undefined
}

export interface DraftReview extends RootReview {
  readonly file: string
}

export interface ReviewedDraft {
  readonly draft: Draft
  readonly previous: Root | undefined
  readonly review: DraftReview
}

/** @throws MoultError ERR_CONFIG_MISSING, ERR_TRUST_ROOT or ERR_TRUST_KEY */
export async function reviewDraft(options: ReviewOptions, deps: ReleaseDeps = {}): Promise<ReviewedDraft> {
  const file = await locateDraft(options.file, options.config)
  const draft = await readDraft(file)
  const previous = await findPrevious(file, options.previous, draft.root)
  assertNext(draft.root, previous)
  const review = { file, ...reviewOf(draft.root, previous, surroundingsOf(deps).now()) }
  return { draft, previous, review }
}

/** Checks that agents would follow the draft. @throws MoultError ERR_TRUST_* */
export async function verifyDraft(options: ReviewOptions, deps: ReleaseDeps = {}): Promise<DraftReview> {
  const { draft, previous, review } = await reviewDraft(options, deps)
  assertComplete(draft.root, previous, surroundingsOf(deps).now())
  return review
}

export interface SignResult extends DraftReview {
  /** `unchanged`: the key had signed before. */
  readonly kind: 'signed' | 'unchanged'
  readonly key: string
}

/** @throws MoultError ERR_CONFIG_KEY for a key whose signature would count for nothing */
export async function signDraft(
  { draft, previous, review }: ReviewedDraft,
  signer: Signer,
  deps: ReleaseDeps = {},
): Promise<SignResult> {
  assertRootKey(draft.root, previous, signer)
  const own = new Map([[signer.keyId, signer.publicKey]])
  if (signersOf(draft.root, own).length > 0) return { ...review, kind: 'unchanged', key: signer.keyId }

  const { signatures } = await signDocument(draft.root.document, ['signatures'], [signer])
  const others = signaturesOf(draft.root).filter((entry) => keyOf(entry) !== signer.keyId)
  // Read back from the very bytes that will be in the file: what is not good there never replaces what is.
  const document = { ...draft.root.document, signatures: [...others, ...signatures] }
  const signed = readRoot(parseStrictJson(documentBytes(document)))
  if (signersOf(signed, own).length === 0) throw new MoultError('ERR_BUG', 'a signature that does not verify')
  await writeDraft(draft.file, signed, draft)
  return {
    file: draft.file,
    ...reviewOf(signed, previous, surroundingsOf(deps).now()),
    kind: 'signed',
    key: signer.keyId,
  }
}

/** The root with only those signatures that count: others would travel to every agent for nothing. */
export function withoutIdleSignatures(root: Root, previous: Root | undefined): Root {
  const keys = new Map([...(previous?.roles.root.keys ?? []), ...root.roles.root.keys])
  const signers = new Set(signersOf(root, keys))
  const seen = new Set<string>()
  const signatures = signaturesOf(root).filter((entry) => {
    const key = keyOf(entry)
    if (!signers.has(key) || seen.has(key)) return false
    const isGood = signersOf(readRoot({ ...root.document, signatures: [entry] }), keys).includes(key)
    if (isGood) seen.add(key)
    return isGood
  })
  return readRoot({ ...root.document, signatures })
}

function assertRootKey(draft: Root, previous: Root | undefined, { keyId }: Signer): void {
  if (draft.roles.root.keys.has(keyId) || previous?.roles.root.keys.has(keyId) === true) return
  const keys = [...new Set([...(previous?.roles.root.keys.keys() ?? []), ...draft.roles.root.keys.keys()])]
  throw new MoultError('ERR_CONFIG_KEY', `not a root key, before or after: ${keyId}`, {
    hint: `A root is signed by keys of the role root only: ${keys.join(', ')}`,
    details: { key: keyId, keys },
  })
}

function signaturesOf({ document }: Root): readonly JsonValue[] {
  const { signatures } = document
  return Array.isArray(signatures) ? signatures : []
}

function keyOf(entry: JsonValue): string {
  const key = typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? entry['key'] : undefined
  return typeof key === 'string' ? key : ''
}
