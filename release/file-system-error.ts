import { MoultError } from '../manifests/index.ts'

/** True for an error of the operating system, such as a full disk: not a defect, and not to be reported as one. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}

/** Says what the system refused. What is live is unchanged: only a rename touches it. */
export function fileSystemError(cause: NodeJS.ErrnoException & { code: string }, subject: string): MoultError {
  const { code } = cause
  const where = cause.path === undefined ? subject : `${subject} (${cause.path})`
  const hint = code === 'ENOSPC' ? 'Free some space; TMPDIR names the folder for temporary files.' : undefined
  return new MoultError(
    'ERR_PUBLISH_FAILED',
    `${code === 'ENOSPC' ? 'the disk is full' : `the file system refuses (${code})`}: ${where}`,
    {
      ...(hint === undefined ? {} : { hint }),
      details: { subject, code },
      cause,
    },
  )
}
