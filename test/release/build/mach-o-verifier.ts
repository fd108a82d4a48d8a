import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

// Reads a signed Mach-O file by the published structures (`cs_blobs.h`, `loader.h`) and shares no code with the signer.
// That it accepts programs signed by other tools is what makes its verdict on ours worth something.

export interface VerifiedSignature {
  identifier: string
  flags: number
  pages: number
  /** Types of the blobs in the signature, in order. */
  slots: number[]
  /** File size and size in memory of the segment that holds the signature. */
  linkEdit: { fileSize: number; memorySize: number }
}

interface Segment {
  name: string
  address: number
  memorySize: number
  offset: number
  fileSize: number
}

/** Throws an AssertionError on the first thing that is wrong. */
export function verifyMachOSignature(bytes: Uint8Array): VerifiedSignature {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { segments, signatures } = readCommands(view)
  checkSegments(segments, bytes.length)
  assert.equal(signatures.length, 1, 'one LC_CODE_SIGNATURE')
  const [start, size] = signatures[0] ?? [0, 0]
  const linkEdit = segments.find(({ name }) => name === '__LINKEDIT')
  const text = segments.find(({ name }) => name === '__TEXT')
  assert.ok(linkEdit !== undefined && text !== undefined)
  assert.equal(start % 16, 0, 'the signature is aligned')
  assert.equal(start + size, bytes.length, 'the signature is the end of the file')
  assert.equal(linkEdit.offset + linkEdit.fileSize, start + size, '__LINKEDIT ends with the signature')
  assert.ok(linkEdit.offset <= start, 'the signature begins inside __LINKEDIT')

  const blobs = readSuperBlob(view, start, size)
  const directoryAt = blobs.get(0)
  assert.ok(directoryAt !== undefined, 'a code directory')
  const facts = checkDirectory(view, bytes, directoryAt, start, text)
  checkSpecialSlots(view, bytes, directoryAt, blobs)
  return {
    ...facts,
    slots: [...blobs.keys()],
    linkEdit: { fileSize: linkEdit.fileSize, memorySize: linkEdit.memorySize },
  }
}

function readCommands(view: DataView): { segments: Segment[]; signatures: Array<[offset: number, size: number]> } {
  assert.equal(view.getUint32(0, true), 0xfeedfacf, 'a 64-bit Mach-O file')
  const count = view.getUint32(16, true)
  const end = 32 + view.getUint32(20, true)
  const segments: Segment[] = []
  const signatures: Array<[number, number]> = []
  let firstSection = Number.MAX_SAFE_INTEGER
  let at = 32
  for (let index = 0; index < count; index++) {
    const size = view.getUint32(at + 4, true)
    assert.ok(size >= 8 && size % 8 === 0, 'size of a load command')
    if (view.getUint32(at, true) === 0x19) {
      const number = (offset: number): number => Number(view.getBigUint64(at + offset, true))
      segments.push({
        name: text(view, at + 8, 16),
        address: number(24),
        memorySize: number(32),
        offset: number(40),
        fileSize: number(48),
      })
      for (let section = 0; section < view.getUint32(at + 64, true); section++) {
        const offset = view.getUint32(at + 72 + section * 80 + 48, true)
        if (offset > 0) firstSection = Math.min(firstSection, offset)
      }
    }
    if (view.getUint32(at, true) === 0x1d)
      signatures.push([view.getUint32(at + 8, true), view.getUint32(at + 12, true)])
    at += size
  }
  assert.equal(at, end, 'load commands fill their size')
  assert.ok(end <= firstSection, 'load commands end before the first section')
  return { segments, signatures }
}

function checkSegments(segments: Segment[], fileSize: number): void {
  const inFile = segments.filter((segment) => segment.fileSize > 0).toSorted((a, b) => a.offset - b.offset)
  const inMemory = segments.toSorted((a, b) => a.address - b.address)
  for (const segment of segments) {
    assert.ok(segment.offset + segment.fileSize <= fileSize, `${segment.name} lies in the file`)
    assert.ok(
      segment.name === '__PAGEZERO' || segment.memorySize >= segment.fileSize,
      `${segment.name} has room in memory`,
    )
  }
  for (const [index, next] of inFile.slice(1).entries()) {
    const last = inFile[index]
    assert.ok(last !== undefined && last.offset + last.fileSize <= next.offset, `${next.name} overlaps in the file`)
  }
  for (const [index, next] of inMemory.slice(1).entries()) {
    const last = inMemory[index]
    assert.ok(last !== undefined && last.address + last.memorySize <= next.address, `${next.name} overlaps in memory`)
  }
}

function readSuperBlob(view: DataView, start: number, size: number): Map<number, number> {
  assert.equal(view.getUint32(start), 0xfade0cc0, 'a super blob')
  const length = view.getUint32(start + 4)
  assert.ok(length <= size, 'the super blob fits')
  const blobs = new Map<number, number>()
  let free = 12 + view.getUint32(start + 8) * 8
  for (let index = 0; index < view.getUint32(start + 8); index++) {
    const offset = view.getUint32(start + 16 + index * 8)
    assert.ok(offset >= free, 'blobs do not overlap')
    free = offset + view.getUint32(start + offset + 4)
    assert.ok(free <= length, 'blobs lie inside')
    blobs.set(view.getUint32(start + 12 + index * 8), start + offset)
  }
  return blobs
}

function checkDirectory(
  view: DataView,
  bytes: Uint8Array,
  at: number,
  signatureStart: number,
  textSegment: Segment,
): { identifier: string; flags: number; pages: number } {
  assert.equal(view.getUint32(at), 0xfade0c02, 'a code directory')
  assert.ok(view.getUint32(at + 8) >= 0x20400, 'version of the code directory')
  const length = view.getUint32(at + 4)
  const hashes = at + view.getUint32(at + 16)
  const pages = view.getUint32(at + 28)
  const limit = view.getUint32(at + 32)
  assert.equal(view.getUint8(at + 36), 32, 'size of a hash')
  assert.equal(view.getUint8(at + 37), 2, 'SHA-256')
  const pageSize = 1 << view.getUint8(at + 39)
  assert.equal(limit, signatureStart, 'all bytes before the signature are covered')
  assert.equal(pages, Math.ceil(limit / pageSize), 'one hash for each page')
  assert.ok(hashes + pages * 32 <= at + length, 'the hashes lie inside')
  assert.equal(Number(view.getBigUint64(at + 64)), textSegment.offset, 'begin of the executable segment')
  assert.equal(Number(view.getBigUint64(at + 72)), textSegment.fileSize, 'size of the executable segment')
  assert.equal(Number(view.getBigUint64(at + 80)) & 1, 1, 'main binary')
  for (let page = 0; page < pages; page++) {
    const code = bytes.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit))
    assert.ok(sha256(code).equals(bytes.subarray(hashes + page * 32, hashes + page * 32 + 32)), `hash of page ${page}`)
  }
  const nameAt = at + view.getUint32(at + 20)
  return { identifier: text(view, nameAt, at + length - nameAt), flags: view.getUint32(at + 12), pages }
}

/** Requirements (2), entitlements (5) and their binary form (7) lie in the signature; others are hashes of files beside it. */
function checkSpecialSlots(view: DataView, bytes: Uint8Array, at: number, blobs: Map<number, number>): void {
  const hashes = at + view.getUint32(at + 16)
  const count = view.getUint32(at + 24)
  for (let slot = 1; slot <= count; slot++) {
    const hash = bytes.subarray(hashes - slot * 32, hashes - slot * 32 + 32)
    const blobAt = blobs.get(slot)
    if (blobAt !== undefined) {
      assert.ok(
        sha256(bytes.subarray(blobAt, blobAt + view.getUint32(blobAt + 4))).equals(hash),
        `hash of slot ${slot}`,
      )
    } else if (slot !== 1) {
      assert.ok(
        hash.every((byte) => byte === 0),
        `slot ${slot} is empty`,
      )
    }
  }
  for (const slot of blobs.keys()) assert.ok(slot <= count || slot === 0x10000, `slot ${slot} is covered`)
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function text(view: DataView, at: number, maxLength: number): string {
  const bytes = Buffer.from(view.buffer, view.byteOffset + at, maxLength)
  return bytes.toString('utf8', 0, bytes.includes(0) ? bytes.indexOf(0) : maxLength)
}
