// What a service of S3 answers, as errors of publishing that say what to do.

import { type ErrorCode, isMoultError, MoultError } from '../../manifests/index.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly reason: string
  readonly hint?: string
}

const REFUSED = 'ERR_PUBLISH_REFUSED'
const FAILED = 'ERR_PUBLISH_FAILED'

const CREDENTIALS: Meaning = {
  code: REFUSED,
  reason: 'the credentials are refused',
  hint: 'Are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile, those of this service?',
}
const EXPIRED: Meaning = {
  code: REFUSED,
  reason: 'the credentials have expired',
  hint: 'Sign in again, e.g. with `aws sso login`, or let the pipeline get new ones.',
}
const NO_CREDENTIALS: Meaning = {
  code: 'ERR_CONFIG_MISSING',
  reason: 'no credentials were found',
  hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in `publish.s3`, or run where a role gives them.',
}
const DENIED: Meaning = {
  code: REFUSED,
  reason: 'access is denied',
  hint: 'The publisher needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the objects, and s3:ListBucket and s3:ListBucketMultipartUploads on the bucket; with tags or a KMS key also the right to use them. Without s3:ListBucket a missing object looks denied.',
}
const REGION: Meaning = {
  code: REFUSED,
  reason: 'the bucket is in another region',
  hint: 'Mend `publish.s3.region` in the configuration.',
}
const BUSY: Meaning = { code: FAILED, reason: 'the service is busy', hint: 'Run the command again in a while.' }
const WITHOUT: Meaning = {
  code: REFUSED,
  reason: 'the service cannot do that',
  hint: 'If conditional writes are what it lacks: `"conditional": false` in `publish.s3` goes on without them.',
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: {
    code: REFUSED,
    reason: 'no such bucket',
    hint: 'Create it, or mend `bucket`, `region` and `endpoint` of `publish.s3`.',
  },
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  InvalidToken: CREDENTIALS,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: EXPIRED,
  RequestTimeTooSkewed: {
    code: REFUSED,
    reason: 'the clock of this machine is not that of the service',
    hint: 'Set the clock of this machine.',
  },
  PermanentRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  NotImplemented: WITHOUT,
  SlowDown: BUSY,
  ConditionalRequestConflict: BUSY,
  OperationAborted: BUSY,
  ServiceUnavailable: BUSY,
  TooManyRequests: BUSY,
  RequestTimeout: BUSY,
  InternalError: BUSY,
}

const NETWORK =
  /^(?:E[A-Z]+|UND_ERR_\w+|TimeoutError|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)$/

/** The error itself when it is no answer of a service and no failure of the way to it. */
export function s3Error(error: unknown, path: string, target: string): unknown {
  if (isMoultError(error) || !(error instanceof Error)) return error
  const { status, requestId } = answerOf(error)
  const meaning = MEANINGS[error.name] ?? (status === undefined ? wayOf(error) : byStatus(status))
  if (meaning === undefined) return error
  const { code, reason, hint } = meaning
  return new MoultError(code, `${reason} (${said(error)}): ${target}, ${path}`, {
    ...(hint === undefined ? {} : { hint }),
    details: {
      path,
      target,
      reason: error.name,
      ...(status === undefined ? {} : { status }),
      ...(requestId === undefined ? {} : { requestId }),
    },
    cause: error,
  })
}

function answerOf(error: Error): { status?: number; requestId?: string } {
  const { httpStatusCode, requestId } =
    (error as { $metadata?: { httpStatusCode?: number; requestId?: string } }).$metadata ?? {}
  return {
    ...(httpStatusCode === undefined ? {} : { status: httpStatusCode }),
    ...(requestId === undefined ? {} : { requestId }),
  }
}

/** The name of the error where the service gave one, and no more than one line of its words. */
function said({ name, message }: Error): string {
  const text = message.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 160)
  return text === '' || text === name || text === 'UnknownError' ? name : `${name}: ${text}`
}

function byStatus(status: number): Meaning {
  if (status === 403) return DENIED
  if (status === 401) return CREDENTIALS
  if (status === 301 || status === 307) return REGION
  if (status === 501) return WITHOUT
  if (status === 429 || status >= 500) return BUSY
  // An answer that is no S3 at all, such as the page of a proxy, fails in its parser, whatever its status was.
  return { code: status < 400 ? FAILED : REFUSED, reason: `an unusable answer, ${status}` }
}

function wayOf(error: Error): Meaning | undefined {
  const { code = error.name } = error as NodeJS.ErrnoException
  if (/^Region is missing/.test(error.message)) {
    const hint = 'Set `publish.s3.region`, or AWS_REGION.'
    return { code: 'ERR_CONFIG_MISSING', reason: 'no region is known', hint }
  }
  if (!NETWORK.test(code) && !/socket hang up|aborted/.test(error.message)) return undefined
  return {
    code: FAILED,
    reason: `no connection (${code})`,
    hint: 'Is `publish.s3.endpoint` right, and the network up?',
  }
}
