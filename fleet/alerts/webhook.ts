// Tells alerts to a URL: one POST, which chat services take for its `text`, and programs for the rest.

import { setTimeout as sleep } from 'node:timers/promises'

import { MoultError } from '../../manifests/index.ts'
import type { Alert } from './find-alerts.ts'

const ATTEMPTS = 3
const ATTEMPT_TIMEOUT_MS = 10_000
const PAUSE_MS = 1000
const PAUSE_MAX_MS = 30_000

export interface WebhookOptions {
  /** One header, `name: value`: a secret, so it is never shown. */
  readonly header?: string
  /** Plain HTTP to other hosts than this machine. */
  readonly allowHttp?: boolean
  /** Between attempts, doubled each time. */
  readonly pauseMs?: number
  readonly attemptTimeoutMs?: number
  readonly signal?: AbortSignal
}

export interface AlertMessage {
  readonly format: 'moult-alerts/1'
  readonly text: string
  /** Of the agent. */
  readonly name: string
  /** RFC 3339: the time that the figures are of. */
  readonly at: string
  readonly alerts: readonly Alert[]
}

export function alertMessage(name: string, at: string, alerts: readonly Alert[]): AlertMessage {
  const title = `${name}: ${alerts.length} alert${alerts.length === 1 ? '' : 's'}`
  const text = [title, ...alerts.map((alert) => `${alert.code}: ${alert.text}`)].map(chatText).join('\n')
  return { format: 'moult-alerts/1', text, name, at, alerts }
}

/**
 * Succeeds when the host answers with a status of 200 to 299. No redirect is followed: the header is for this host.
 * @throws MoultError ERR_USAGE_INVALID for a URL or header that cannot be used, ERR_NETWORK_* when it is not delivered
 */
export async function postWebhook(address: string, message: AlertMessage, options: WebhookOptions = {}): Promise<void> {
  const url = webhookUrl(address, options.allowHttp === true)
  const headers = { 'content-type': 'application/json', 'user-agent': 'moult-fleet', ...headerOf(options.header) }
  const { pauseMs = PAUSE_MS, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS, signal } = options
  for (let attempt = 1; ; attempt++) {
    const failure = await postOnce(url, headers, JSON.stringify(message), attemptTimeoutMs, signal)
    if (failure === undefined) return
    signal?.throwIfAborted()
    if (attempt >= ATTEMPTS || failure.isFinal === true) throw failure.error
    const pauseNowMs = Math.min(PAUSE_MAX_MS, failure.retryAfterMs ?? pauseMs * 2 ** (attempt - 1))
    await sleep(pauseNowMs, undefined, { ...(signal === undefined ? {} : { signal }) })
  }
}

interface Failure {
  readonly error: MoultError
  /** The same again would fail again. */
  readonly isFinal?: boolean
  readonly retryAfterMs?: number
}

async function postOnce(
  url: URL,
  headers: Record<string, string>,
  body: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Failure | undefined> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const host = `${url.protocol}//${url.host}`
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    })
    // What it says is of no use, and may be endless.
    await response.body?.cancel()
  } catch (cause) {
    if (timeout.aborted) {
      return {
        error: new MoultError('ERR_NETWORK_TIMEOUT', `no answer of the webhook in ${timeoutMs / 1000} s: ${host}`),
      }
    }
    return { error: new MoultError('ERR_NETWORK_UNREACHABLE', `cannot reach the webhook: ${host}`, { cause }) }
  }
  const { status } = response
  if (response.ok) return undefined
  if (status >= 300 && status < 400) {
    const hint = 'Give the address that it points to.'
    return {
      error: new MoultError('ERR_NETWORK_REDIRECT', `the webhook points elsewhere: ${host}`, { hint }),
      isFinal: true,
    }
  }
  const error = new MoultError('ERR_NETWORK_STATUS', `the webhook answered with status ${status}: ${host}`, {
    details: { status },
  })
  const retryAfterS = Number(response.headers.get('retry-after') ?? Number.NaN)
  if (status < 500 && status !== 429 && status !== 408) return { error, isFinal: true }
  return { error, ...(retryAfterS >= 0 ? { retryAfterMs: retryAfterS * 1000 } : {}) }
}

function webhookUrl(address: string, allowHttp: boolean): URL {
  const hint = 'Expected https://..., or http:// to this machine; --allow-http allows it to others.'
  // The path is the secret of most webhooks: it is not repeated.
  if (!URL.canParse(address)) throw new MoultError('ERR_USAGE_INVALID', '--webhook: not a URL', { hint })
  const url = new URL(address)
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && (isLocal || allowHttp))) return url
  throw new MoultError('ERR_USAGE_INVALID', `--webhook: not allowed: ${url.protocol}//${url.host}`, { hint })
}

function headerOf(header: string | undefined): Record<string, string> {
  if (header === undefined) return {}
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]+)$/.exec(header.trim()) ?? []
  if (name !== undefined && value !== undefined) return { [name]: value }
  throw new MoultError('ERR_USAGE_INVALID', 'the header of the webhook is not of the form `name: value`', {
    hint: 'For example: Authorization: Bearer <token>.',
  })
}

/** Chat services read `<!channel>` and links; no text of a log may say that. */
function chatText(text: string): string {
  return text.replace(/[^A-Za-z0-9._/;=+() :,%'-]/g, '?')
}
