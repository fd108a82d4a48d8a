// What a poll says beside its id and its events. A million agents say the same few thousand things, so each is kept
// once and known by its index.

import type { Beacon, BeaconState } from '../../manifests/beacon.ts'

export interface Tail {
  readonly name: string
  /** `none` where nothing is installed. */
  readonly version: string
  readonly platform: string
  readonly channel: string
  /** Empty where the beacon does not say. */
  readonly state: BeaconState | ''
  readonly error: string
  readonly updater: string
}

export function tailOf({ name, version = 'none', platform, channel, state, error = '', updater }: Beacon): Tail {
  return { name, version, platform, channel, state: state ?? '', error, updater }
}

export function tailKey(tail: Tail): string {
  return [tail.name, tail.version, tail.platform, tail.channel, tail.state, tail.error, tail.updater].join(' ')
}

/**
 * Texts or things by index. It is bounded, for whoever may write to the log could otherwise fill the memory with one
 * line of an own kind after the other: an honest fleet has some thousand.
 */
export class Interner<T> {
  readonly items: T[] = []
  readonly #indexes = new Map<string, number>()
  readonly #max: number

  constructor(max = 65_536) {
    this.#max = max
  }

  /** -1 when there is no room for another. */
  indexOf(key: string, item: T): number {
    const known = this.#indexes.get(key)
    if (known !== undefined) return known
    if (this.items.length >= this.#max) return -1
    this.#indexes.set(key, this.items.length)
    return this.items.push(item) - 1
  }
}
