import { type ErrorCode, isMoultError, MoultError } from '../../manifests/index.ts'
import type { Disk } from './disk.ts'

const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'ERR_STAGE_SPACE',
  EDQUOT: 'ERR_STAGE_SPACE',
  EFBIG: 'ERR_STAGE_SPACE',
  EROFS: 'ERR_STAGE_READ_ONLY',
  EACCES: 'ERR_STAGE_READ_ONLY',
  EPERM: 'ERR_STAGE_READ_ONLY',
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  ERR_STAGE_SPACE: 'Free some disk space; the old version keeps running and the update is tried again.',
  ERR_STAGE_READ_ONLY: 'Make the home directory writable for the user that runs the agent.',
}

/** A failure of the file system as a typed error; other errors pass through as they are. */
export function toFileError(error: unknown, subject: string): unknown {
  if (isMoultError(error) || !(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error
  const errno = String(error.code)
  const code = CODE_OF_ERRNO[errno] ?? 'ERR_STAGE_IO'
  const hint = HINTS[code]
  return new MoultError(code, `${errno}: ${subject}`, {
    details: { errno, subject },
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Runs file operations on behalf of `subject` and types their failures. */
export function withFileErrors<T>(subject: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw toFileError(error, subject)
  }
}

/** Removes a rest, or leaves it to the next start: cleaning MUST NOT hide the error that made it necessary. */
export async function discard(disk: Disk, path: string): Promise<void> {
  await disk.removeTree(path).catch(() => undefined)
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
