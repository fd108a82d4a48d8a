// The live manifest of a channel under a new root: the same release, its rollout stated anew, and the chain of roots.

import { join } from 'node:path'

import {
  isMoultError,
  type JsonObject,
  MANIFEST_MAX_BYTES,
  MoultError,
  parseStrictJson,
  RELEASE_UNSIGNED,
  type Root,
  statementDigest,
} from '../../manifests/index.ts'
import type { Delivery } from '../deliver.ts'
import { documentBytes } from '../document-bytes.ts'
import { releasePath } from '../layout.ts'
import type { Live } from '../live.ts'
import { newestRoot, type Project } from '../open-project.ts'
import { stampRollout } from '../rollout/compose-rollout.ts'
import { DEFAULT_EXPIRES } from '../rollout/rollout-terms.ts'
import { liveRolloutOf, rolloutContext, signRollout } from '../rollout-statement.ts'
import { signDocument } from '../sign.ts'
import { type OnlineRole, openSigners } from '../signers/open-signers.ts'
import type { Signer } from '../signers/signer.ts'
import type { Surroundings } from '../surroundings.ts'
import { isGood, releaseOf, signatureEntries, withSignatures } from './release-signatures.ts'
import { findResigned, resignedName } from './sign-release.ts'

export interface ReissueTerms {
  /** Folder with the roots, and with `<version>.release.json` of a release that was signed anew elsewhere. */
  readonly trustDir: string
  /** The version that the release keys of this machine may sign anew. */
  readonly resign: string | undefined
}

export interface Reissue extends Delivery {
  /** The old signatures of the release did not suffice. */
  readonly isSignedAnew: boolean
}

/** @throws MoultError ERR_CONFIG_KEY, ERR_TRUST_THRESHOLD or ERR_PUBLISH_EXISTS */
export async function reissue(
  live: Live,
  project: Project,
  terms: ReissueTerms,
  around: Surroundings,
  now: number,
): Promise<Reissue> {
  const { document, isSignedAnew } = await signedRelease(live, project, terms, around)
  const bytes = (await publishedBytes(live, project)) ?? documentBytes(document)
  const rollout = await rolloutAfter(live, document, project, around, now)
  const release = { document, release: live.manifest.release, bytes, isLive: true }
  return { release, rollout, artifacts: [], isSignedAnew }
}

async function signedRelease(
  live: Live,
  project: Project,
  { trustDir, resign }: ReissueTerms,
  around: Surroundings,
): Promise<{ document: JsonObject; isSignedAnew: boolean }> {
  const root = newestRoot(project)
  const role = root.roles.release
  const { version } = live.manifest.release
  const document = releaseOf(parseStrictJson(live.bytes) as JsonObject)
  if (isGood(document, role)) return { document, isSignedAnew: false }

  const brought = await findResigned(join(trustDir, resignedName(version)), live.manifest.releaseDigest)
  const offered = [...signatureEntries(document), ...signatureEntries(brought ?? {})]
  const known = withSignatures(document, offered, role)
  if (isGood(known, role)) return { document: known, isSignedAnew: true }
  // The live release may be the thief's: nothing is signed anew that nobody has named.
  if (resign !== version) throw needsReleaseKeys(live, root, known)
  const release = await openHere('release', project, around)
  const { signatures } = await signDocument(document, RELEASE_UNSIGNED, release)
  return { document: withSignatures(document, [...offered, ...signatures], role), isSignedAnew: true }
}

function needsReleaseKeys(live: Live, root: Root, known: JsonObject): MoultError {
  const { release, releaseDigest } = live.manifest
  const keys = [...root.roles.release.keys.keys()]
  const { threshold } = root.roles.release
  const have = signatureEntries(known).length
  const what = `${release.version} of ${release.release_date}`
  return new MoultError(
    'ERR_TRUST_THRESHOLD',
    `the live release has ${have} of ${threshold} signatures that count under root ${root.version}: ${what}`,
    {
      hint:
        `Check that it is yours: its digest is ${releaseDigest}. Then sign it anew: here with --resign ${release.version}, ` +
        `if \`keys.release\` names the key; or with \`moult root sign-release\` where the key is, and bring ` +
        `${resignedName(release.version)} here. If it is not yours, use --keep-manifest, and release a newer version.`,
      details: { version: release.version, digest: releaseDigest, have, threshold, keys },
    },
  )
}

/** What is published under the version's name stays as it is, with the signatures that it had. */
async function publishedBytes({ manifest }: Live, { publisher }: Project): Promise<Uint8Array | undefined> {
  const path = releasePath(manifest.release.version)
  const bytes = await publisher.read(path, MANIFEST_MAX_BYTES)
  if (bytes === undefined) return undefined
  const document = parseStrictJson(bytes) as JsonObject
  if (statementDigest(document, RELEASE_UNSIGNED) === manifest.releaseDigest) return bytes
  throw new MoultError('ERR_PUBLISH_EXISTS', `not the release that the live manifest offers: ${path}`, {
    hint: 'Find out who wrote this file before anything is signed.',
    details: { path },
  })
}

/** The live rollout with all its terms, stated anew: later, by the present keys, and good for a full term again. */
async function rolloutAfter(
  live: Live,
  release: JsonObject,
  project: Project,
  around: Surroundings,
  now: number,
): Promise<JsonObject> {
  const signers = { release: [], rollout: await openHere('rollout', project, around) }
  const context = await rolloutContext(release, live.manifest.rollout.channel, live, project, now)
  const expires = project.config.rollout?.expires ?? DEFAULT_EXPIRES
  return signRollout(stampRollout(liveRolloutOf(live).rollout, expires, context), { signers })
}

/** @throws MoultError ERR_CONFIG_KEY, which says where the command can be run instead */
async function openHere(role: OnlineRole, project: Project, around: Surroundings): Promise<readonly Signer[]> {
  const root = newestRoot(project)
  try {
    return (await openSigners([role], project.config, project.dir, root, around))[role]
  } catch (error) {
    if (!isMoultError(error) || error.code !== 'ERR_CONFIG_KEY') throw error
    const { keys, threshold } = root.roles[role]
    const which = `${threshold} of ${[...keys.keys()].join(', ')}`
    throw new MoultError('ERR_CONFIG_KEY', error.message, {
      hint:
        `Root ${root.version} needs ${which} in \`keys.${role}\` of the configuration. If they are on another machine, ` +
        'carry the draft there and run `moult root publish` on it.',
      details: error.details,
      cause: error,
    })
  }
}
