// Signs a release anew on the machine that has a present release key, when that is not the one which publishes. What
// comes out, `<version>.release.json`, lies in the trust folder; `moult root publish` takes the signatures from it.

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import {
  checkShape,
  type JsonObject,
  MoultError,
  parseStrictJson,
  type Release,
  RELEASE_UNSIGNED,
  releaseShape,
  type Root,
  statementDigest,
} from '../../manifests/index.ts'
import { documentBytes } from '../document-bytes.ts'
import { writeDurably } from '../durable-files.ts'
import { fileSystemError, isSystemError } from '../file-system-error.ts'
import { signDocument } from '../sign.ts'
import type { Signer } from '../signers/signer.ts'
import { isGood, releaseOf, signatureEntries, withSignatures } from './release-signatures.ts'
import { findDraft, locateDraft, readTrustFolder } from './trust-folder.ts'

export interface SignReleaseOptions {
  /** A release document, or a manifest that carries it. */
  readonly release: string
  /** The draft whose release keys sign, for the time before it is published; default as for other commands. */
  readonly file?: string | undefined
  readonly config?: string | undefined
  readonly out?: string | undefined
}

export interface ReleaseToSign {
  readonly document: JsonObject
  readonly release: Release
  readonly digest: string
  /** The root whose release keys count. */
  readonly root: Root
  readonly out: string
}

/** @throws MoultError ERR_CONFIG_MISSING, ERR_MANIFEST_*, or ERR_TRUST_SIGNATURE for what no release key ever signed */
export async function readReleaseToSign(options: SignReleaseOptions): Promise<ReleaseToSign> {
  const draftFile = await locateDraft(options.file, options.config)
  const dir = dirname(draftFile)
  const draft = await findDraft(draftFile)
  const roots = [...(await readTrustFolder(dir)), ...(draft === undefined ? [] : [draft.root])]
  const root = roots.at(-1)
  if (root === undefined) throw new MoultError('ERR_CONFIG_MISSING', `no root document: ${dir}`, { details: { dir } })

  const document = releaseOf(await readDocument(options.release))
  const release = checkShape(releaseShape, document, '')
  if (release.name !== root.name) {
    throw new MoultError('ERR_TRUST_TARGET', `for ${release.name} instead of ${root.name}: ${options.release}`)
  }
  if (!roots.some(({ roles }) => isGood(document, roles.release))) {
    throw new MoultError('ERR_TRUST_SIGNATURE', `no release keys of this project have signed it: ${options.release}`, {
      hint: 'Only what was released once is signed anew. Make a release of new bytes with `moult release`.',
    })
  }
  const out = options.out ?? join(dir, resignedName(release.version))
  return { document, release, digest: statementDigest(document, RELEASE_UNSIGNED), root, out }
}

export function resignedName(version: string): string {
  return `${version}.release.json`
}

export interface SignReleaseResult {
  readonly kind: 'signed'
  readonly version: string
  readonly digest: string
  readonly file: string
  readonly key: string
  readonly signed: number
  readonly threshold: number
}

/** Adds a signature to the file; what others signed before stays. @throws MoultError ERR_CONFIG_KEY or ERR_PUBLISH_FAILED */
export async function signRelease(what: ReleaseToSign, signer: Signer): Promise<SignReleaseResult> {
  const { document, digest, root, out, release } = what
  const role = root.roles.release
  if (!role.keys.has(signer.keyId)) {
    throw new MoultError('ERR_CONFIG_KEY', `not a release key of root ${root.version}: ${signer.keyId}`, {
      hint: `Those are: ${[...role.keys.keys()].join(', ')}`,
      details: { key: signer.keyId, keys: [...role.keys.keys()] },
    })
  }
  const before = await findResigned(out, digest)
  const { signatures } = await signDocument(document, RELEASE_UNSIGNED, [signer])
  const offered = [...signatures, ...signatureEntries(before ?? {}), ...signatureEntries(document)]
  const signed = withSignatures(document, offered, role)
  try {
    await writeDurably(out, { how: 'replace', fill: (file) => file.writeFile(documentBytes(signed)) })
  } catch (error) {
    throw isSystemError(error) ? fileSystemError(error, out) : error
  }
  const count = signatureEntries(signed).length
  const { keyId: key } = signer
  return { kind: 'signed', version: release.version, digest, file: out, key, signed: count, threshold: role.threshold }
}

/** The file with new signatures of a release, if there is one. @throws MoultError ERR_TRUST_BINDING for another release */
export async function findResigned(file: string, digest: string): Promise<JsonObject | undefined> {
  let document: JsonObject
  try {
    document = await readDocument(file)
  } catch (error) {
    if (error instanceof MoultError && error.code === 'ERR_CONFIG_MISSING') return undefined
    throw error
  }
  if (statementDigest(document, RELEASE_UNSIGNED) === digest) return document
  throw new MoultError('ERR_TRUST_BINDING', `signatures of another release: ${file}`, { details: { file, digest } })
}

async function readDocument(file: string): Promise<JsonObject> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `cannot be read: ${file}`, { details: { file }, cause })
  }
  const value = parseStrictJson(bytes)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new MoultError('ERR_MANIFEST_SCHEMA', `expected an object: ${file}`)
}
