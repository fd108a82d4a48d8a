// What was told already: each alert once, and again every day for as long as it lasts. The file is replaced whole, and
// only after the message has arrived.

import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

import { MoultError } from '../../manifests/index.ts'
import type { Alert } from './find-alerts.ts'

const FORMAT = 'moult-alerts/1'
export const REPEAT_AFTER_MS = 24 * 3_600_000

/** When each alert was sent, by its key. */
export type SentAlerts = Readonly<Record<string, number>>

/**
 * Nothing was sent where there is no file yet.
 * @throws MoultError ERR_CONFIG_INVALID when the file is another one
 */
export function readSentAlerts(path: string): SentAlerts {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw cause
  }
  const sent = sentOf(text)
  if (sent !== undefined) return sent
  throw new MoultError('ERR_CONFIG_INVALID', `not a file of alerts that were sent: ${path}`, {
    hint: 'Name another with --state, or remove it: alerts are then sent once more.',
  })
}

export function writeSentAlerts(path: string, sent: SentAlerts): void {
  const fresh = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    writeFileSync(fresh, `${JSON.stringify({ format: FORMAT, sent })}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}

/** Which alerts are to be sent now, and what is remembered once they are. One that has ended is forgotten. */
export function dueAlerts(
  alerts: readonly Alert[],
  sent: SentAlerts,
  nowMs: number,
): { readonly due: readonly Alert[]; readonly after: SentAlerts } {
  const isDue = ({ key }: Alert): boolean => {
    const sentMs = Object.hasOwn(sent, key) ? sent[key] : undefined
    // A clock that was set back would keep an alert silent for as long.
    return sentMs === undefined || nowMs - sentMs >= REPEAT_AFTER_MS || sentMs > nowMs
  }
  const after = Object.fromEntries(
    alerts.map((alert) => [alert.key, isDue(alert) ? nowMs : (sent[alert.key] ?? nowMs)]),
  )
  // Where nothing was read, nothing is known to have ended.
  const isBlind = alerts.some(({ code }) => code === 'FLEET_NO_DATA')
  return { due: alerts.filter(isDue), after: isBlind ? { ...sent, ...after } : after }
}

function sentOf(text: string): SentAlerts | undefined {
  try {
    const { format, sent } = JSON.parse(text) as { format?: unknown; sent?: unknown }
    if (format !== FORMAT || typeof sent !== 'object' || sent === null) return undefined
    const entries = Object.entries(sent as Record<string, unknown>)
    return Object.fromEntries(entries.filter((entry): entry is [string, number] => Number.isFinite(entry[1])))
  } catch {
    return undefined
  }
}
