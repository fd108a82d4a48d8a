// An exclusive lock in a bucket: the object `.lock`, created under a condition and renewed while it is held. A holder
// that stops renewing it loses it, by the clock of the service alone; whoever lost it writes nothing more.
//
// It keeps two releases of one version from overwriting each other's artifacts. That the manifest is replaced by one of
// them only does not depend on it: that is the condition of its own write.

import { isMoultError, MoultError } from '../../manifests/index.ts'
import { heldBy, isDead, type LockHolder, parseHolder, thisHolder } from './lock-holder.ts'
import type { S3Config } from './publish-config.ts'
import { type S3Connection, unstoppable } from './s3-client.ts'
import { type Condition, putObject, readObject, removeObject } from './s3-objects.ts'

export const LOCK_PATH = '.lock'
const LOCK_MAX_BYTES = 4096
const LEASE_MS = 60_000
/** A stranger's ETag: an object of it does not exist. */
const NO_ETAG = '00000000000000000000000000000000'

export interface S3Lock {
  /** Aborted, with the error to throw, when the lock was lost. */
  readonly lost: AbortSignal
  readonly release: () => Promise<void>
}

/** @throws MoultError ERR_PUBLISH_CONFLICT, or ERR_PUBLISH_REFUSED where the service ignores conditions */
export async function lockBucket(
  s3: S3Connection,
  config: S3Config,
  now: () => number,
  purpose: string | undefined,
  leaseMs = LEASE_MS,
): Promise<S3Lock> {
  const own = await thisHolder(now, purpose)
  let renewals = 0
  const put = (condition: Condition): ReturnType<typeof putObject> => {
    // Each renewal has other bytes, hence another ETag: who saw the one before cannot take this one over.
    const bytes = new TextEncoder().encode(`${JSON.stringify({ ...own, renewals: renewals++ })}\n`)
    return putObject(s3, config, LOCK_PATH, bytes, condition)
  }
  let renewedAt = performance.now()
  let etag = await acquire(s3, put, leaseMs)
  try {
    await assertConditions(s3, put)
  } catch (error) {
    await removeOwn(s3, own)
    throw error
  }
  const lost = new AbortController()
  let running: Promise<void> | undefined

  const renew = async (): Promise<void> => {
    const startedAt = performance.now()
    const outcome = await put({ kind: 'same', etag })
    if (outcome.kind === 'stored') [etag, renewedAt] = [outcome.etag, startedAt]
    else lose(heldBy(await holderOf(s3), `${s3.target}/${LOCK_PATH}`, 'This one took too long. Run it again.'))
  }
  const timer = setInterval(() => {
    if (performance.now() - renewedAt > leaseMs * 0.8) return lose(notRenewed(s3))
    // One that fails is tried again until the lease is over.
    running ??= renew()
      .catch(() => {})
      .finally(() => (running = undefined))
  }, leaseMs / 6)
  timer.unref()
  const lose = (reason: MoultError): void => {
    clearInterval(timer)
    lost.abort(reason)
  }

  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer)
      await running
      await removeOwn(s3, own)
    },
  }
}

async function removeOwn(s3: S3Connection, { nonce }: LockHolder): Promise<void> {
  const last = unstoppable(s3)
  try {
    if ((await holderOf(last))?.nonce === nonce) await removeObject(last, LOCK_PATH)
  } catch (error) {
    // The work is done, or has failed for a reason of its own; the lock ends by itself.
    if (!isMoultError(error)) throw error
  }
}

async function acquire(
  s3: S3Connection,
  put: (condition: Condition) => ReturnType<typeof putObject>,
  leaseMs: number,
): Promise<string> {
  const created = await put({ kind: 'absent' })
  if (created.kind === 'stored') return created.etag
  const found = await readObject(s3, LOCK_PATH, LOCK_MAX_BYTES)
  const holder = found && parseHolder(new TextDecoder().decode(found.bytes))
  if (found !== undefined && (found.ageMs > leaseMs || (holder !== undefined && (await isDead(holder))))) {
    const taken = await put({ kind: 'same', etag: found.etag })
    if (taken.kind === 'stored') return taken.etag
    throw held(s3, await holderOf(s3), leaseMs)
  }
  throw held(s3, holder, leaseMs - (found?.ageMs ?? leaseMs))
}

/**
 * A service without conditional writes may say so (501), or silently overwrite. So what must fail is tried, on the lock
 * that is held: to create it once more, and to replace another.
 */
async function assertConditions(
  s3: S3Connection,
  put: (condition: Condition) => ReturnType<typeof putObject>,
): Promise<void> {
  for (const condition of [{ kind: 'absent' }, { kind: 'same', etag: NO_ETAG }] as const) {
    if ((await put(condition)).kind === 'condition failed') continue
    throw new MoultError('ERR_PUBLISH_REFUSED', `the service ignores the conditions of writes: ${s3.target}`, {
      hint: 'Two releases at once would overwrite each other. If only one is ever published at a time, `"conditional": false` in `publish.s3` goes on without.',
      details: { target: s3.target, condition: condition.kind },
    })
  }
}

async function holderOf(s3: S3Connection): Promise<LockHolder | undefined> {
  const found = await readObject(s3, LOCK_PATH, LOCK_MAX_BYTES)
  return found && parseHolder(new TextDecoder().decode(found.bytes))
}

function notRenewed(s3: S3Connection): MoultError {
  const message = `lost the lock, because it could not be renewed in time: ${s3.target}/${LOCK_PATH}`
  return new MoultError('ERR_PUBLISH_CONFLICT', message, { hint: 'Check the network, and run it again.' })
}

function held(s3: S3Connection, holder: LockHolder | undefined, leftMs: number): MoultError {
  const seconds = Math.max(1, Math.ceil(leftMs / 1000))
  const hint = `Wait for it. If it is gone, its lock ends in ${seconds} s.`
  return heldBy(holder, `${s3.target}/${LOCK_PATH}`, hint)
}
