// A chain of manifests in a folder, with statements that no command makes, and faults in the middle of it.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  type JsonObject,
  parseStrictJson,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  sha256,
  statementDigest,
} from '../../../manifests/index.ts'
import { documentBytes } from '../../../release/document-bytes.ts'
import {
  type HistoryOptions,
  type HistoryResult,
  openSigner,
  readRoots,
  verifyHistory,
} from '../../../release/index.ts'
import { signDocument } from '../../../release/sign.ts'
import { surroundingsOf } from '../../../release/surroundings.ts'
import type { Fixture } from '../project-fixture.ts'

type Place = Pick<Fixture, 'dir' | 'updates'>

export async function historyOf(
  { dir, updates }: Place,
  options: Partial<HistoryOptions> = {},
): Promise<HistoryResult> {
  const [root] = await readRoots(join(dir, 'trust/1.root.json'), 'probe')
  return verifyHistory({ place: updates, root, ...options })
}

export interface Statement {
  /** Members of the rollout that are other than in the live one. */
  readonly rollout?: object
  /** Signed before it: what the release is then. */
  readonly release?: object
  /** The key file that signs; default: the one of the project. */
  readonly key?: string
}

/** Publishes what no command would: the next manifest after the live one, signed, and kept in the history. */
export async function state({ dir, updates }: Place, { rollout = {}, release, key }: Statement = {}): Promise<string> {
  const signers = [await openSigner(key ?? 'keys/moult.key', dir, surroundingsOf({ env: {} }))]
  const live = await readFile(join(updates, 'version.json'))
  const { rollout: last, trust, ...document } = parseStrictJson(live) as JsonObject
  const { signatures: _signatures, ...before } = last as JsonObject
  const { signatures: _old, ...unsigned } = { ...document, ...release }
  const offered = release === undefined ? document : await signDocument(unsigned, RELEASE_UNSIGNED, signers)
  const next = {
    ...before,
    sequence: Number(before['sequence']) + 1,
    previous: sha256(live),
    release: statementDigest(offered, RELEASE_UNSIGNED),
    ...rollout,
  }
  // What is undefined is left out.
  const statement = JSON.parse(JSON.stringify(next)) as JsonObject
  const signed = await signDocument(statement, ROLLOUT_UNSIGNED, signers)
  const bytes = documentBytes({ ...offered, rollout: signed, ...(trust === undefined ? {} : { trust }) })
  const hash = sha256(bytes)
  for (const path of [`history/${hash}.json`, 'version.json']) await writeFile(join(updates, path), bytes)
  return hash
}
