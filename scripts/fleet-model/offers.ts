// What the model's host publishes: real signed manifests, verified once for each thing that an agent may believe.

import { pollIntervalMs } from '../../agent/poll/poll-interval.ts'
import { POLL_INTERVAL_MS } from '../../agent/poll/schedule.ts'
import {
  formatDate,
  type Manifest,
  NO_FLOOR,
  parseDate,
  type Trust,
  type Verified,
  verifyManifest,
} from '../../manifests/index.ts'
import { makeManifest } from '../../test/fixtures/signed-manifest.ts'
import type { Publication } from './fleet-plan.ts'

/** Virtual second 0, in milliseconds since 1970. */
export const START_MS = parseDate('2026-11-21T02:00:00Z') ?? 0

/** Nothing accepted yet. */
export const NOTHING = -1

export interface Offer {
  readonly bytes: Uint8Array
  readonly version: string
  /** How often an agent polls that has accepted it, and whose owner has laid down nothing. */
  readonly intervalMs: number
  readonly expiresMs: number
}

export type OfferVerdict =
  | { readonly kind: 'accepted'; readonly manifest: Verified<Manifest> }
  | { readonly kind: 'refused'; readonly code: string }

export class Offers {
  readonly list: readonly Offer[]
  readonly #trust: Trust
  readonly #verdicts = new Map<number, OfferVerdict>()
  readonly #floors: Trust['floor'][]

  constructor(publications: readonly Publication[]) {
    const signed = publications.map(({ atS, version, stages = [[0, 100]], rollout }, index) => {
      const timeOf = (second: number): string => formatDate(START_MS + second * 1000)
      return makeManifest({
        release: { version },
        rollout: {
          sequence: index + 1,
          issued: timeOf(atS),
          expires: timeOf(atS + 14 * 86_400),
          stages: stages.map(([afterS, percent]) => ({ at: timeOf(atS + afterS), percent })),
          ...rollout,
        },
      })
    })
    this.list = signed.map(({ bytes, document }) => {
      const { poll, expires } = document['rollout'] as { poll?: string; expires: string }
      const intervalMs = pollIntervalMs({ intervalMs: POLL_INTERVAL_MS, hasOwnInterval: false }, poll)
      return { bytes, version: document['version'] as string, intervalMs, expiresMs: parseDate(expires) ?? 0 }
    })
    const [first] = signed
    if (first === undefined) throw new Error('nothing is published')
    this.#trust = first.trust
    this.#floors = signed.map(({ bytes, trust }) => {
      const verdict = verifyManifest(bytes, { ...trust, floor: NO_FLOOR }, START_MS)
      if (verdict.kind === 'refused') throw verdict.error
      return verdict.trust.floor
    })
  }

  /**
   * What the real checks say to the bytes of an offer. They depend on what was accepted before and on whether it has
   * expired, so there are few different answers.
   * @param held index of the offer that was accepted last, or `NOTHING`
   * @param now what the agent takes for the time, in milliseconds since 1970
   */
  verdict(served: number, held: number, now: number): OfferVerdict {
    const offer = this.list[served]
    if (offer === undefined) throw new Error(`no such offer: ${served}`)
    const key = ((held + 1) * this.list.length + served) * 2 + (now < offer.expiresMs ? 0 : 1)
    let verdict = this.#verdicts.get(key)
    if (verdict === undefined) {
      const checked = verifyManifest(offer.bytes, { ...this.#trust, floor: this.#floors[held] ?? NO_FLOOR }, now)
      verdict = checked.kind === 'refused' ? { kind: 'refused', code: checked.error.code } : checked
      this.#verdicts.set(key, verdict)
    }
    return verdict
  }
}
