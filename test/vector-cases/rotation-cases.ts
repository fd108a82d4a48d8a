// The root rotations that the TUF conformance suite asks of a client, under its names, played on this chain of roots.
// Each is a list of root documents: numbers name the keys of the role `root`, and those that sign.

import type { ErrorCode, JsonObject } from '../../manifests/index.ts'
import { defaultKeys, makeKey, makeRoot, type TestKey } from '../fixtures/signed-manifest.ts'
import { accepts, refuses, type VectorCase, type VectorOptions } from './vector.ts'

export interface RootStep {
  readonly keys: readonly number[]
  readonly threshold: number
  readonly signers: readonly number[]
}

export interface Rotation {
  readonly name: string
  /** What stops the walk before the last root, or that nothing does. */
  readonly expect: 'ok' | ErrorCode
  /** For a refused one: the accepted rotation that it spoils. */
  readonly twin?: string
  readonly steps: readonly RootStep[]
}

const step = (threshold: number, keys: readonly number[], signers: readonly number[]): RootStep => ({
  threshold,
  keys,
  signers,
})
const FIVE = [0, 1, 2, 3, 4]
const ONE_NEW = [0, 1, 3, 4, 5]
const FIVE_NEW = [5, 6, 7, 8, 9]
const THREE = [1, 2, 3]

export const ROTATIONS: readonly Rotation[] = [
  { name: '1-of-1-key-rotation', expect: 'ok', steps: [step(1, [1], [1]), step(1, [2], [2, 1]), step(1, [2], [2])] },
  {
    name: '1-of-1-key-rotation-unused-signatures',
    expect: 'ok',
    steps: [step(1, [1], [3, 1, 4]), step(1, [2], [3, 2, 1, 4]), step(1, [2], [3, 2, 4])],
  },
  {
    name: '3-of-5-sign-with-different-keycombos',
    expect: 'ok',
    steps: [step(3, FIVE, [0, 2, 4]), step(3, FIVE, [0, 4, 1]), step(3, FIVE, [0, 1, 3]), step(3, FIVE, [0, 1, 3])],
  },
  { name: '3-of-5-one-key-rotated', expect: 'ok', steps: [step(3, FIVE, [0, 2, 4]), step(3, ONE_NEW, [0, 4, 1])] },
  {
    name: '3-of-5-one-key-rotated-with-intermediate-step',
    expect: 'ok',
    steps: [step(3, FIVE, [0, 2, 4]), step(3, ONE_NEW, [0, 2, 4, 5]), step(3, ONE_NEW, [0, 4, 5])],
  },
  {
    name: '3-of-5-all-keys-rotated-with-intermediate-step',
    expect: 'ok',
    steps: [step(3, FIVE, [0, 2, 4]), step(3, FIVE_NEW, [0, 2, 4, 5, 6, 7]), step(3, FIVE_NEW, [5, 6, 7])],
  },
  { name: '1-of-3-threshold-increase-to-2-of-3', expect: 'ok', steps: [step(1, THREE, [1]), step(2, THREE, [1, 2])] },
  {
    name: '2-of-3-threshold-decrease-to-1-of-3',
    expect: 'ok',
    steps: [step(2, THREE, [1, 2]), step(1, THREE, [1, 2]), step(1, THREE, [1])],
  },
  { name: '1-of-2-threshold-increase-to-2-of-2', expect: 'ok', steps: [step(1, [1], [1]), step(2, [1, 2], [1, 2])] },
  {
    name: '1-of-1-key-rotation-fail-not-signed-with-old-key',
    expect: 'ERR_TRUST_SIGNATURE',
    twin: '1-of-1-key-rotation',
    steps: [step(1, [1], [1]), step(1, [2], [2, 3, 4])],
  },
  {
    name: '1-of-1-key-rotation-fail-not-signed-with-new-key',
    expect: 'ERR_TRUST_SIGNATURE',
    twin: '1-of-1-key-rotation',
    steps: [step(1, [1], [1]), step(1, [2], [1, 3, 4])],
  },
  {
    name: '3-of-5-one-key-rotate-fails-not-signed-with-3-new-keys',
    expect: 'ERR_TRUST_THRESHOLD',
    twin: '3-of-5-one-key-rotated',
    steps: [step(3, FIVE, [0, 2, 4]), step(3, ONE_NEW, [0, 2, 4])],
  },
  {
    name: '3-of-5-one-key-rotate-fails-not-signed-with-3-old-keys',
    expect: 'ERR_TRUST_THRESHOLD',
    twin: '3-of-5-one-key-rotated',
    steps: [step(3, FIVE, [0, 2, 4]), step(3, ONE_NEW, [0, 4, 5])],
  },
  {
    name: '1-of-3-threshold-bump-to-2-of-3-fails-new-threshold-not-reached',
    expect: 'ERR_TRUST_THRESHOLD',
    twin: '1-of-3-threshold-increase-to-2-of-3',
    steps: [step(1, THREE, [1]), step(2, THREE, [2])],
  },
  {
    name: '2-of-3-threshold-decr-to-1-of-3-fails-old-threshold-not-reached',
    expect: 'ERR_TRUST_THRESHOLD',
    twin: '2-of-3-threshold-decrease-to-1-of-3',
    steps: [step(2, THREE, [1, 2]), step(1, THREE, [1])],
  },
]

/** The root documents of a rotation, from the pinned one on. */
export function rootsOf({ steps }: Rotation): readonly [JsonObject, ...JsonObject[]] {
  const key = (number: number): TestKey => makeKey(`rotation ${number}`)
  const [pinned, ...later] = steps.map(({ keys, threshold, signers }, index) =>
    makeRoot({
      version: index + 1,
      keys: { ...defaultKeys(), root: keys.map(key) },
      thresholds: { root: threshold },
      signers: signers.map(key),
    }),
  )
  if (pinned === undefined) throw new Error('a rotation without a root')
  return [pinned, ...later]
}

export const ROTATION_CASES: readonly VectorCase[] = ROTATIONS.map((rotation) => {
  const [pinned, ...chain] = rootsOf(rotation)
  const options: VectorOptions = {
    pinned,
    chain,
    reaches: rotation.expect === 'ok' ? rotation.steps.length : rotation.steps.length - 1,
  }
  const comment = 'A root rotation of the TUF conformance suite.'
  if (rotation.expect === 'ok') return accepts(`tuf-${rotation.name}`, comment, options)
  return refuses(`tuf-${rotation.name}`, rotation.expect, comment, options, `tuf-${rotation.twin ?? ''}`)
})
