// One file over HTTP, resumed after a cut connection and after a restart. The bytes of an earlier run are not trusted:
// the hash at the end covers all of them.

import { lstat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { isMoultError, MoultError } from '../../manifests/index.ts'
import { assertContent } from '../home/artifact-file.ts'
import type { Disk, DiskFile } from '../home/disk.ts'
import type { DownloadOptions, Source } from './download-options.ts'
import { discard, isErrno, toFileError } from '../home/file-error.ts'
import { discardBody, header, httpGet, type HttpResponse, toNetworkError } from '../poll/http.ts'
import { retryAfterOf, statusError } from '../poll/poll.ts'
import { resolveUrl } from '../poll/url-policy.ts'

const RETRY_DELAY_MS = 1000
/** A host that asks for a longer pause gets it from the schedule of the polls. */
const RETRY_AFTER_WAIT_MS = 60_000
const PROGRESS_STEP_MS = 500
/** A download that crawls below this for a whole window is given up: bytes a second. */
const RATE_MIN = 512
const RATE_WINDOW_MS = 60_000

/**
 * @param path where the partial file lies, and the whole one in the end
 * @returns `path`, holding exactly the signed bytes
 * @throws MoultError ERR_NETWORK_*, ERR_BYTES_* or ERR_STAGE_*
 */
export async function fetchFile(disk: Disk, path: string, source: Source, options: DownloadOptions): Promise<string> {
  const deadline = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline])
  const url = resolveUrl(source.url, options.base)
  let file: DiskFile | undefined
  try {
    file = await openPartial(disk, path)
    const kept = await file.size()
    await fetchWithRetries(file, url, source, { ...options, signal })
    try {
      await assertContent(file, source, signal)
    } catch (error) {
      if (kept === 0 || !isMoultError(error)) throw error
      // What the earlier run left may be the bad part: a power cut, or an object that was exchanged in between.
      await file.truncate(0)
      await fetchWithRetries(file, url, source, { ...options, signal })
      await assertContent(file, source, signal)
    }
    return path
  } catch (error) {
    const failure =
      signal.aborted && !isMoultError(error) ? toNetworkError(signal.reason, url) : toFileError(error, path)
    // Wrong bytes are gone at once, and so are those that fill the disk, which the program needs as well, or that the disk
    // failed to store: after a flush that failed, the next one succeeds for bytes that never arrived. What a dead
    // connection left is the start of the next attempt.
    const isUseless = isMoultError(failure) && (failure.exitCode === 23 || failure.code.startsWith('ERR_STAGE_'))
    const isEmpty = (await file?.size().catch(() => undefined)) === 0
    if (isUseless || isEmpty) await discard(disk, path)
    throw failure
  } finally {
    await file?.close()
  }
}

/** Opens the partial file of an earlier run if it is a plain file of ours with no other name; else a new one. */
async function openPartial(disk: Disk, path: string): Promise<DiskFile> {
  try {
    const stat = await lstat(path)
    const isOurs = stat.isFile() && stat.nlink === 1 && (process.getuid === undefined || stat.uid === process.getuid())
    if (isOurs) return await disk.open(path)
    await disk.removeTree(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  return disk.create(path, 0o600)
}

async function fetchWithRetries(file: DiskFile, url: URL, source: Source, options: DownloadOptions): Promise<void> {
  /** Validator of the object that the bytes so far came from: a resumed part must not come from another one. */
  const seen: { etag?: string | undefined } = {}
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetchRest(file, url, source, options, seen)
    } catch (error) {
      if (attempt > options.retries || options.signal?.aborted === true || !isWorthRetry(error)) throw error
      options.emit({ kind: 'download-interrupted', attempt, error })
      const backoffMs = RETRY_DELAY_MS * 2 ** (attempt - 1) * (0.5 + Math.random())
      const delayMs = Math.max(backoffMs, retryAfterOf(error))
      await sleep(delayMs, undefined, options.signal === undefined ? {} : { signal: options.signal })
    }
  }
}

function isWorthRetry(error: unknown): error is MoultError {
  if (!isMoultError(error) || error.exitCode !== 20 || !error.retryable) return false
  if (error.code !== 'ERR_NETWORK_STATUS') return true
  return isHostBusy(error) && retryAfterOf(error) <= RETRY_AFTER_WAIT_MS
}

/** True for a status that says something of the host's present state and nothing of this file. */
export function isHostBusy(error: MoultError): boolean {
  const status = error.details['status']
  return typeof status === 'number' && (status >= 500 || status === 408 || status === 429)
}

async function fetchRest(
  file: DiskFile,
  url: URL,
  source: Source,
  options: DownloadOptions,
  seen: { etag?: string | undefined },
): Promise<void> {
  const onDisk = await file.size()
  if (onDisk === source.size) return
  const from = onDisk < source.size ? onDisk : 0
  const response = await httpGet(url, {
    base: options.base,
    headers: {
      'user-agent': options.userAgent,
      ...(from === 0 ? {} : { range: `bytes=${from}-` }),
      ...(from === 0 || seen.etag === undefined ? {} : { 'if-range': seen.etag }),
    },
    ...(options.secretHeaders === undefined ? {} : { secretHeaders: options.secretHeaders }),
    ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    signal: options.signal,
  })
  const start = startOfBody(response, from, source.size)
  if (start === undefined) {
    discardBody(response)
    await file.truncate(0)
    throw new MoultError('ERR_NETWORK_UNREACHABLE', 'not resumable, starts again: the download')
  }
  const etag = header(response, 'etag')
  seen.etag = etag?.startsWith('W/') === true ? undefined : etag
  await file.truncate(start)
  await writeBody(file, response, start, source, options)
}

/**
 * Where in the file the body belongs: `from` when the host continues there, 0 when it sends all of it, undefined when
 * the range cannot be had.
 */
function startOfBody(response: HttpResponse, from: number, size: number): number | undefined {
  const { status } = response
  if (status === 200) return 0
  if (from > 0 && status === 206 && header(response, 'content-range') === `bytes ${from}-${size - 1}/${size}`)
    return from
  if (from > 0 && (status === 206 || status === 416)) return undefined
  discardBody(response)
  throw statusError(response)
}

async function writeBody(
  file: DiskFile,
  response: HttpResponse,
  start: number,
  source: Source,
  { rateLimit, emit, signal }: DownloadOptions,
): Promise<void> {
  const startedMs = Date.now()
  let at = start
  let reportedMs = 0
  let window = { at: start, sinceMs: startedMs }
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      if (at + chunk.length > source.size) throw wrongSize(`more than ${source.size}`, source)
      await file.write(chunk, at)
      at += chunk.length
      const nowMs = Date.now()
      if (rateLimit !== undefined) {
        const aheadMs = startedMs + ((at - start) * 1000) / rateLimit - nowMs
        await sleep(Math.max(0, aheadMs), undefined, signal === undefined ? {} : { signal })
      }
      if (nowMs - window.sinceMs > RATE_WINDOW_MS) {
        assertRate(at - window.at, rateLimit)
        window = { at, sinceMs: nowMs }
      }
      if (nowMs - reportedMs < PROGRESS_STEP_MS && at < source.size) continue
      reportedMs = nowMs
      emit({ kind: 'download-progress', received: at, total: source.size })
    }
  } catch (error) {
    response.body.on('error', () => undefined).destroy()
    throw isFileFailure(error) ? error : toNetworkError(error, response.url)
  }
  // A connection that broke before Content-Length is an error above; this body ended as its host meant it to.
  if (at < source.size) throw wrongSize(`${at}`, source)
}

function wrongSize(size: string, source: Source): MoultError {
  return new MoultError('ERR_BYTES_SIZE', `${size} bytes instead of ${source.size}: the download`, {
    details: { expected: source.size },
  })
}

function assertRate(bytes: number, rateLimit: number | undefined): void {
  if (bytes >= (Math.min(RATE_MIN, rateLimit ?? RATE_MIN) * RATE_WINDOW_MS) / 2000) return
  throw new MoultError('ERR_NETWORK_TIMEOUT', `slower than ${RATE_MIN} bytes a second: the download`)
}

function isFileFailure(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && /^(?:write|ftruncate)/.test(String(error.syscall))
}
