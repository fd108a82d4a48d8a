// Random rollouts and agents, small enough that all that a rule can say meets all that a machine can be.

import {
  type AgentFacts,
  checkShape,
  formatDate,
  type JsonObject,
  type Manifest,
  type OtherReleases,
  type Release,
  releaseShape,
  rolloutShape,
  statementDigest,
  RELEASE_UNSIGNED,
  type Verified,
} from '../../manifests/index.ts'
import { makeRelease, makeRollout, NOW_MS, type Overrides } from '../fixtures/signed-manifest.ts'
import { Random } from './random.ts'

const HOUR_MS = 3_600_000
export const VERSIONS = ['1.0.0', '1.1.0', '1.2.0-rc.1', '1.2.0', '1.3.0', '2.0.0-rc.1', '2.0.0'] as const
const RANGES = ['1.2.0', '<1.2.0', '>=1.2.0 <2.0.0', '>=1.0.0', '<=1.1.0', '>1.2.0'] as const
const PLATFORMS = ['linux-amd64', 'linux-amd64', 'linux-amd64', 'darwin-arm64', 'linux-arm64'] as const
const PERCENTS = [0, 1, 5, 25, 50, 75, 99, 100] as const
const RINGS = ['canary', 'beta', 'late'] as const
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Mars/Olympus'] as const

/** Signed members of a case, over those of every manifest. */
export interface RandomOffer {
  readonly release: Overrides
  readonly rollout: Overrides
}

/** The releases that are published besides; each can be pinned or fallen back to. */
export interface Shelf {
  readonly refs: readonly JsonObject[]
  readonly others: OtherReleases
  readonly hashes: readonly string[]
}

/** @param membersOf what else a release has, such as artifacts that a host really serves */
export function makeShelf(membersOf: (version: string) => Overrides = () => ({})): Shelf {
  const documents = VERSIONS.map((version) => makeRelease({ version, ...membersOf(version) }))
  const refs = documents.map((document) => ({
    version: document['version'] ?? '',
    release: statementDigest(document, RELEASE_UNSIGNED),
    url: `releases/${JSON.stringify(document['version']).slice(1, -1)}.json`,
  }))
  const releases = documents.map((document) => checkShape(releaseShape, document, '') as Verified<Release>)
  return {
    refs,
    others: new Map(refs.map(({ release }, index) => [release, releases[index]])),
    hashes: releases.flatMap(({ binaries }) => Object.values(binaries).map(({ sha256 }) => sha256)),
  }
}

/** As a verified manifest reads, without the time that signatures take. */
export function manifestOf({ release, rollout }: RandomOffer): Verified<Manifest> {
  const document = makeRelease(release)
  const releaseDigest = statementDigest(document, RELEASE_UNSIGNED)
  const checked = checkShape(rolloutShape, makeRollout(document, rollout), 'rollout')
  const manifest = {
    release: checkShape(releaseShape, document, ''),
    rollout: checked,
    releaseDigest,
    rolloutDigest: '',
  }
  return manifest as unknown as Verified<Manifest>
}

export class RandomRollouts extends Random {
  readonly #shelf: Shelf
  readonly #nowMs: number

  constructor(seed: number, stream: number, shelf: Shelf, nowMs = NOW_MS) {
    super(seed, stream)
    this.#shelf = shelf
    this.#nowMs = nowMs
  }

  offer(): RandomOffer {
    return {
      release: { version: this.pick(VERSIONS), ...this.#maybe(4, () => ({ min_version: this.pick(VERSIONS) })) },
      rollout: {
        stages: this.#stages(),
        salt: this.pick(['a', 'b', 'c']),
        ...this.#maybe(3, () => ({ spread: this.pick(['0s', '30m', '7h', '2d']) })),
        ...this.#maybe(5, () => ({ paused: true })),
        ...this.#maybe(3, () => ({ rollback: [this.pick(VERSIONS), this.pick(VERSIONS)] })),
        ...this.#maybe(2, () => ({ fallback: this.pick(this.#shelf.refs) })),
        ...this.#maybe(2, () => ({ rules: Array.from({ length: 1 + this.below(3) }, () => this.#rule()) })),
        ...this.#maybe(2, () => ({ flags: { parser: this.#flag(), colour: this.#flag() } })),
      },
    }
  }

  facts(): AgentFacts {
    const policy = {
      ...this.#maybe(4, () => ({ percentCap: this.pick(PERCENTS) })),
      ...this.#maybe(12, () => ({ windows: [{ ...this.#window(), timezone: this.pick(['UTC', 'Europe/Berlin']) }] })),
      ...this.#maybe(5, () => ({ approved: new Set(this.#shelf.hashes.filter(() => this.once(2))) })),
      ...this.#maybe(5, () => ({ pin: this.pick(RANGES) })),
    }
    return {
      id: `host-${this.below(10_000)}`,
      platform: this.pick(PLATFORMS),
      quarantine: new Set(this.#shelf.hashes.filter(() => this.once(12))),
      ...(this.once(6) ? {} : { running: this.pick(VERSIONS) }),
      ...this.#maybe(2, () => ({ labels: { ring: this.pick(RINGS) } })),
      ...this.#maybe(5, () => ({ rollbackFloor: this.pick(VERSIONS) })),
      ...this.#maybe(2, () => ({ timezone: this.pick(['UTC', 'Asia/Tokyo']) })),
      ...(Object.keys(policy).length === 0 ? {} : { policy }),
    }
  }

  /** Within two days of the middle of the stages. */
  now(): number {
    return this.#nowMs + this.below(96 * HOUR_MS) - 48 * HOUR_MS
  }

  #stages() {
    return Array.from({ length: 1 + this.below(4) }, () => ({
      at: formatDate(this.#nowMs + (this.below(96) - 48) * HOUR_MS),
      percent: this.pick(PERCENTS),
    }))
  }

  #rule(): JsonObject {
    const match = {
      ...this.#maybe(2, () => ({ labels: { ring: [this.pick(RINGS), this.pick(RINGS)] } })),
      ...this.#maybe(5, () => ({ platforms: [this.pick(PLATFORMS)] })),
      ...this.#maybe(5, () => ({ versions: [this.pick(RANGES)] })),
      ...this.#maybe(5, () => ({ ids: Array.from({ length: 5 }, () => `host-${this.below(10)}`) })),
    }
    const move = this.pick<() => JsonObject>([
      () => ({ pin: this.pick(this.#shelf.refs) }),
      () => ({ hold: true }),
      () => ({ stages: this.#stages() }),
      () => ({}),
    ])()
    return {
      match,
      ...move,
      ...this.#maybe(12, () => ({
        windows: [{ ...this.#window(), ...this.#maybe(2, () => ({ timezone: this.pick(ZONES) })) }],
      })),
      ...this.#maybe(4, () => ({ flags: { parser: this.#flag() } })),
    }
  }

  #window() {
    const hour = (): string => `${String(this.below(24)).padStart(2, '0')}:${this.pick(['00', '30'])}`
    return {
      start: hour(),
      end: hour(),
      ...this.#maybe(3, () => ({ days: [this.pick(['sat', 'sun', 'mon'] as const)] })),
    }
  }

  #flag() {
    const shares = [this.below(50), this.below(50)].map((percent, index) => ({
      value: this.pick([index, 'x', true]),
      percent,
    }))
    return { shares, ...this.#maybe(3, () => ({ salt: 'shared' })) }
  }

  #maybe<T extends object>(times: number, make: () => T): T | Record<never, never> {
    return this.once(times) ? make() : {}
  }
}
