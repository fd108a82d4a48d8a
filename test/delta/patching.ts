// What the tests of the delta codec share: applying into one buffer, files that differ in pieces, and tars.

import assert from 'node:assert/strict'
import { applyPatch, memorySource } from '../../delta/index.ts'
import { makeProgram, type Build, type Container, type Machine, type Random } from './small-programs.ts'

export const TARGETS: readonly (readonly [Container, Machine])[] = [
  ['elf', 'x86-64'],
  ['elf', 'arm64'],
  ['mach', 'x86-64'],
  ['mach', 'arm64'],
  ['pe', 'x86-64'],
]

export const numbersTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

/** Two builds of one program; the second has a function more, in the middle. */
export function twoBuilds(
  [container, machine]: readonly [Container, Machine],
  count: number,
): [Uint8Array, Uint8Array] {
  const build = (functions: number[]): Build => ({ container, machine, functions })
  const functions = numbersTo(count)
  const middle = Math.floor(count / 2)
  const more = [...functions.slice(0, middle), count, ...functions.slice(middle)]
  return [makeProgram(build(functions)), makeProgram(build(more))]
}

/** The whole result; fails when it would be larger than `max`, or a piece larger than 64 KiB. */
export function applyWhole(old: Uint8Array, patch: Uint8Array, max: number): Buffer {
  const pieces: Buffer[] = []
  let size = 0
  for (const piece of applyPatch(memorySource(old), memorySource(patch), max)) {
    assert.ok(piece.length <= 65536, `${piece.length} bytes without a pause`)
    size += piece.length
    assert.ok(size <= max, 'more is written than stated')
    pieces.push(Buffer.from(piece))
  }
  return Buffer.concat(pieces)
}

export function randomFile(random: Random, size: number): Uint8Array {
  const letters = 1 + random(256)
  return Uint8Array.from({ length: size }, () => random(letters))
}

/** Pieces of a file in any order, new bytes between them, and some bytes changed. */
export function changePieces(random: Random, file: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  for (let count = random(8); count >= 0; count--) {
    const from = random(file.length + 1)
    parts.push(file.slice(from, from + random(file.length - from + 1)))
    if (random(2) === 0) parts.push(randomFile(random, random(300)))
  }
  const result = new Uint8Array(Buffer.concat(parts))
  for (let count = random(20); count > 0 && result.length > 0; count--) result[random(result.length)] = random(256)
  return result
}

/** A tar (ustar) of files by name. */
export function makeTar(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const blocks: Uint8Array[] = []
  for (const [name, bytes] of Object.entries(files)) {
    const header = new Uint8Array(512)
    header.set(Buffer.from(name))
    header.set(Buffer.from('0000644\0'), 100)
    header.set(Buffer.from(`${bytes.length.toString(8).padStart(11, '0')}\0`), 124)
    header.set(Buffer.from('        0'), 148)
    header.set(Buffer.from('ustar\x0000'), 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
    blocks.push(header, bytes, new Uint8Array((512 - (bytes.length % 512)) % 512))
  }
  return new Uint8Array(Buffer.concat([...blocks, new Uint8Array(1024)]))
}

/** A patch with some bytes changed, its end cut off, or rubbish behind it, which keeps a decoder going that has lost
    its way. */
export function mutatePatch(random: Random, patch: Uint8Array): Uint8Array {
  const cut = patch.slice(0, random(8) === 0 ? random(patch.length + 1) : patch.length)
  if (cut.length === 0) return cut
  const hostile = new Uint8Array(cut.length + (random(2) === 0 ? random(2000) : 0))
  for (let at = 0; at < hostile.length; at++) hostile[at] = cut[at] ?? random(256)
  // What is behind the covers is only reached when they are sound.
  const from = random(2) === 0 ? Math.floor(cut.length / 2) : 0
  for (let count = 1 + random(3); count > 0; count--) {
    hostile[from + random(random(3) === 0 ? Math.min(24, cut.length - from) : cut.length - from)] = random(256)
  }
  return hostile
}
