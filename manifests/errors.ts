// Every failure of Moult is a `MoultError` with a code of this table. The table is the one place that maps a code to
// its exit status; SPEC.md repeats it, and a test holds the two equal. A retired code is never used again.

interface CodeFacts {
  /** Exit status of a command that fails with this code (SPEC 7). */
  readonly exit: number
  /** Whether the same attempt can succeed later with nothing changed on this machine. */
  readonly retryable: boolean
  readonly summary: string
}

export const ERROR_CODES = {
  ERR_BUG: { exit: 1, retryable: false, summary: 'a defect in Moult itself' },

  ERR_USAGE_INVALID: { exit: 2, retryable: false, summary: 'the command line cannot be understood' },
  ERR_USAGE_EXISTS: { exit: 2, retryable: false, summary: 'a file that must not be overwritten exists' },
  ERR_CONFIG_MISSING: { exit: 2, retryable: false, summary: 'a needed configuration file or value is absent' },
  ERR_CONFIG_INVALID: { exit: 2, retryable: false, summary: 'the configuration breaks its schema' },
  ERR_CONFIG_KEY: { exit: 2, retryable: false, summary: 'a private key is missing, unreadable or damaged' },
  ERR_BUILD_FAILED: { exit: 2, retryable: false, summary: 'a build of the release did not succeed' },
  ERR_SERVER_PORT: { exit: 2, retryable: false, summary: 'the local server cannot listen on its address' },

  ERR_NETWORK_UNREACHABLE: { exit: 20, retryable: true, summary: 'no connection to the update host' },
  ERR_NETWORK_TIMEOUT: { exit: 20, retryable: true, summary: 'the update host answered too slowly' },
  ERR_NETWORK_STATUS: { exit: 20, retryable: true, summary: 'the update host answered with an unusable status' },
  ERR_NETWORK_REDIRECT: { exit: 20, retryable: false, summary: 'a redirect that is not allowed' },
  ERR_NETWORK_URL: { exit: 20, retryable: false, summary: 'a URL that is not allowed' },

  ERR_MANIFEST_TOO_LARGE: { exit: 21, retryable: false, summary: 'the manifest is larger than its limit' },
  ERR_MANIFEST_SYNTAX: { exit: 21, retryable: false, summary: 'the manifest is not JSON of the strict profile' },
  ERR_MANIFEST_SCHEMA: { exit: 21, retryable: false, summary: 'the manifest breaks its schema' },
  ERR_MANIFEST_FORMAT: { exit: 21, retryable: false, summary: 'the document is of another format' },

  ERR_TRUST_UNSIGNED: { exit: 22, retryable: false, summary: 'a statement carries no signature' },
  ERR_TRUST_SIGNATURE: { exit: 22, retryable: false, summary: 'no signature by a key of the role verifies' },
  ERR_TRUST_THRESHOLD: { exit: 22, retryable: false, summary: 'fewer keys than the role requires have signed' },
  ERR_TRUST_KEY: { exit: 22, retryable: false, summary: 'a public key is malformed or weak' },
  ERR_TRUST_ROOT: { exit: 22, retryable: false, summary: 'a root document is invalid or does not follow the last' },
  ERR_TRUST_ROOT_EXPIRED: { exit: 22, retryable: false, summary: 'the newest root document has expired' },
  ERR_TRUST_TARGET: { exit: 22, retryable: false, summary: 'the statement is for another name or channel' },
  ERR_TRUST_BINDING: { exit: 22, retryable: false, summary: 'the rollout statement is for another release' },
  ERR_TRUST_REPLAY: { exit: 22, retryable: false, summary: 'the sequence is lower than one already accepted' },
  ERR_TRUST_EQUIVOCATION: { exit: 22, retryable: false, summary: 'the same sequence with other content' },
  ERR_TRUST_EXPIRED: { exit: 22, retryable: false, summary: 'the rollout statement has expired' },
  ERR_TRUST_DATE: { exit: 22, retryable: false, summary: 'a signed date lies outside the plausible range' },

  ERR_BYTES_SIZE: { exit: 23, retryable: true, summary: 'the bytes are not of the signed size' },
  ERR_BYTES_HASH: { exit: 23, retryable: true, summary: 'the bytes do not match the signed hash' },
  ERR_BYTES_ENCODING: { exit: 23, retryable: true, summary: 'the compressed bytes do not unpack' },

  ERR_POLICY_REFUSED: { exit: 24, retryable: false, summary: 'the policy refuses this version' },

  ERR_STAGE_SPACE: { exit: 25, retryable: true, summary: 'the disk is full' },
  ERR_STAGE_READ_ONLY: { exit: 25, retryable: false, summary: 'the home directory cannot be written' },
  ERR_STAGE_IO: { exit: 25, retryable: true, summary: 'the file system failed' },
  ERR_STAGE_ARCHIVE: { exit: 25, retryable: false, summary: 'the archive holds an entry that is not allowed' },
  ERR_STAGE_PREFLIGHT: { exit: 25, retryable: false, summary: 'the new program does not start here' },
  ERR_STAGE_HOOK: { exit: 25, retryable: false, summary: 'a hook of the release failed' },
  ERR_HOME_INVALID: { exit: 25, retryable: false, summary: 'the home directory is not usable' },

  ERR_CLUSTER_REFUSED: {
    exit: 25,
    retryable: false,
    summary: 'the cluster refuses this account, or has no such object',
  },
  ERR_CLUSTER_FAILED: { exit: 25, retryable: true, summary: 'the cluster did not answer, or could not do it now' },

  ERR_UPDATE_ROLLED_BACK: { exit: 26, retryable: false, summary: 'the new version failed and was rolled back' },

  ERR_PUBLISH_FAILED: { exit: 27, retryable: true, summary: 'the publish failed; the live manifest is unchanged' },
  ERR_PUBLISH_CONFLICT: { exit: 27, retryable: true, summary: 'another release is being or was just published' },
  ERR_PUBLISH_REFUSED: { exit: 27, retryable: false, summary: 'the place to publish to refuses this publisher' },
  ERR_PUBLISH_EXISTS: { exit: 27, retryable: false, summary: 'the version is already published with other bytes' },
  ERR_PUBLISH_READ_BACK: { exit: 27, retryable: false, summary: 'what was published does not verify' },

  ERR_LOCK_HELD: { exit: 28, retryable: true, summary: 'another updater holds the lock' },
} as const satisfies Record<string, CodeFacts>

export type ErrorCode = keyof typeof ERROR_CODES

/** Exit status that means: the update is in place, start me again. */
export const EXIT_UPDATED = 100
/** Exit status of `moult fleet alerts` that means: somebody should look at the fleet. It is no failure of the command. */
export const EXIT_ALERTS = 29

export interface MoultErrorOptions {
  /** What the reader can do next; one sentence. */
  hint?: string
  /** Plain data for machines: JSON-safe, and never a secret. */
  details?: Record<string, unknown>
  cause?: unknown
}

const BRAND = Symbol.for('moult.error')

/** An expected failure. The message has the form `reason: subject`; the hint stands apart. */
export class MoultError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly details: Record<string, unknown>
  readonly [BRAND] = true

  constructor(code: ErrorCode, message: string, options: MoultErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MoultError'
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }

  toJSON(): Record<string, unknown> {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(Object.keys(this.details).length === 0 ? {} : { details: this.details }),
      retryable: this.retryable,
    }
  }
}

/** True for a `MoultError` of any loaded copy of this package. */
export function isMoultError(value: unknown): value is MoultError {
  return typeof value === 'object' && value !== null && BRAND in value
}

/** The error itself when it is expected, else a defect that wraps it. */
export function toMoultError(value: unknown): MoultError {
  if (isMoultError(value)) return value
  return new MoultError('ERR_BUG', value instanceof Error ? value.message : String(value), { cause: value })
}
