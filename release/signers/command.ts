// A key that lives in another program: a KMS, an HSM, a smart card. It gets exactly the bytes to sign on its standard
// input and answers with the signature on its standard output; the key never comes here.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

import {
  decodeBase64,
  formatDuration,
  keyIdOf,
  MoultError,
  parseDuration,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
} from '../../manifests/index.ts'
import { endGroupOnAbort } from '../build/end-group-on-abort.ts'
import type { Environment } from '../surroundings.ts'
import { readPublicKey } from './public-key.ts'
import type { Signer } from './signer.ts'
import type { CommandSignerConfig } from './signer-config.ts'

export interface CommandSurroundings {
  /** The project's folder, where the command runs. */
  readonly dir: string
  /** Without the variables that hold keys or passphrases. */
  readonly env: Environment
  readonly signal: AbortSignal
}

const DEFAULT_TIMEOUT_MS = 60_000
/** A signature takes 89 bytes at most; more is a program that prints something else. */
const ANSWER_MAX_BYTES = 1024
const ERRORS_MAX_BYTES = 4000
/** After the last signal of `endGroupOnAbort`. */
const LET_GO_MS = 6_000

/** @throws MoultError ERR_CONFIG_KEY or ERR_TRUST_KEY for its public key; the command does not run yet */
export async function openCommandSigner(config: CommandSignerConfig, around: CommandSurroundings): Promise<Signer> {
  const isBare = decodeBase64(config.public, PUBLIC_KEY_BYTES) !== undefined
  const publicKey = await readPublicKey(isBare ? config.public : resolve(around.dir, config.public))
  return { keyId: keyIdOf(publicKey), publicKey, sign: (bytes) => askCommand(config, bytes, around) }
}

async function askCommand(
  { command, timeout }: CommandSignerConfig,
  bytes: Uint8Array,
  { dir, env, signal }: CommandSurroundings,
): Promise<Uint8Array> {
  const [program = ''] = command
  const timeoutMs = (timeout === undefined ? undefined : parseDuration(timeout)) ?? DEFAULT_TIMEOUT_MS
  const expiry = AbortSignal.timeout(timeoutMs)
  const { answer, errors, reason } = await runProgram(command, bytes, dir, env, AbortSignal.any([signal, expiry]))
  signal.throwIfAborted()
  const signature = readAnswer(answer)
  if (reason === undefined && !expiry.aborted && signature !== undefined) return signature
  const fault = expiry.aborted
    ? `no answer in ${formatDuration(timeoutMs)}`
    : answer.length > ANSWER_MAX_BYTES
      ? `more than ${ANSWER_MAX_BYTES} bytes for an answer`
      : (reason ?? `an answer of ${answer.length} bytes that is no signature`)
  throw new MoultError('ERR_CONFIG_KEY', `the command that signs failed (${fault}): ${program}`, {
    hint: 'It gets the bytes on standard input, and answers with 64 raw bytes or their base64.',
    details: { program, ...(errors === '' ? {} : { output: errors }) },
  })
}

interface Ran {
  /** At most a little more than may be an answer. */
  readonly answer: Buffer
  /** The end of what it complained about, without what a terminal would obey. */
  readonly errors: string
  /** Why it counts as failed. */
  readonly reason: string | undefined
}

async function runProgram(
  [file = '', ...args]: readonly string[],
  input: Uint8Array,
  cwd: string,
  env: Environment,
  signal: AbortSignal,
): Promise<Ran> {
  const child = spawn(file, args, { cwd, env: { ...env }, stdio: 'pipe', detached: process.platform !== 'win32' })
  const overflow = new AbortController()
  const stop = AbortSignal.any([signal, overflow.signal])
  const done = endGroupOnAbort(child.pid, stop)
  // A daemon that it left behind in a session of its own holds the pipes, and no signal reaches it.
  const letGo = (): void => {
    setTimeout(() => [child.stdout, child.stderr].forEach((pipe) => pipe.destroy()), LET_GO_MS).unref()
  }
  stop.addEventListener('abort', letGo, { once: true })

  let answer = Buffer.alloc(0)
  let errors = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]).subarray(0, ANSWER_MAX_BYTES + 1)
    if (answer.length > ANSWER_MAX_BYTES) overflow.abort()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors = Buffer.concat([errors, chunk]).subarray(-ERRORS_MAX_BYTES)
  })
  // A program that ends before it has read everything is judged by its answer.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  try {
    const [code, by] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    const reason = code === 0 ? undefined : by === null ? `exit status ${code}` : `ended by ${by}`
    return { answer, errors: plainText(errors), reason }
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    return { answer, errors: '', reason: code === 'ENOENT' ? 'no such program' : `cannot be started: ${code}` }
  } finally {
    done()
  }
}

/** Exactly the 64 bytes, or their strict base64 with at most a line end behind it. */
function readAnswer(answer: Buffer): Uint8Array | undefined {
  if (answer.length === SIGNATURE_BYTES) return new Uint8Array(answer)
  return decodeBase64(answer.toString('latin1').replace(/\r?\n$/, ''), SIGNATURE_BYTES)
}

function plainText(bytes: Buffer): string {
  return stripVTControlCharacters(bytes.toString('utf8')).replace(/[^\t\n\u0020-\u007e\u00a0-\uffff]/g, '?')
}
