import { createHash } from 'node:crypto'
import { MoultError } from '../../manifests/errors.ts'

// Apple's ARM processors end every program without a valid signature, and adding a resource to a signed one breaks the
// signature. An ad-hoc signature names no signer: it is a list of the hashes of the file's pages, so it can be made
// anywhere. It does not satisfy Gatekeeper for files from a browser; that needs a paid certificate and notarization.

const MACH_O_64 = 0xfeedfacf
const LC_SEGMENT_64 = 0x19
const LC_CODE_SIGNATURE = 0x1d
const CPU_ARM64 = 0x0100000c
const HEADER_BYTES = 32
const SIGNATURE_COMMAND_BYTES = 16
const SEGMENT_BYTES = 72
const SECTION_BYTES = 80
/** Apple's tools align the signature to 16 bytes. */
const SIGNATURE_ALIGNMENT = 16

const MAGIC_SUPER_BLOB = 0xfade0cc0
const MAGIC_CODE_DIRECTORY = 0xfade0c02
const MAGIC_REQUIREMENTS = 0xfade0c01
const MAGIC_CMS = 0xfade0b01
const SLOT_CODE_DIRECTORY = 0
const SLOT_REQUIREMENTS = 2
const SLOT_CMS = 0x10000

const CODE_DIRECTORY_BYTES = 88
const CODE_DIRECTORY_VERSION = 0x20400
const FLAG_ADHOC = 0x2
const HASH_TYPE_SHA256 = 2
const HASH_BYTES = 32
const PAGE_SHIFT = 12
const PAGE_BYTES = 1 << PAGE_SHIFT
const EXEC_SEGMENT_MAIN_BINARY = 1
/** Hash slots below zero: -1 Info.plist (none: zeros), -2 requirements. */
const SPECIAL_SLOTS = 2

interface Segment {
  commandOffset: number
  fileOffset: number
  fileSize: number
}

interface Layout {
  cpu: number
  commandCount: number
  commandsSize: number
  text: Segment
  linkEdit: Segment
  /** Offset of the load command and of the data of a signature that is already there. */
  signature: { commandOffset: number; dataOffset: number; dataSize: number } | undefined
  /** Where the first section begins: load commands may grow up to here. */
  firstSectionOffset: number
}

/**
 * A copy of a 64-bit Mach-O program (one architecture) with an ad-hoc signature like that of `codesign -s -`; one
 * that is there is replaced. The same input gives the same bytes.
 * @param identifier name inside the signature, e.g. the agent's name
 * @throws MoultError ERR_BUILD_FAILED when the file has another form
 */
export function signMachO(bytes: Uint8Array, identifier: string): Buffer {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const layout = readLayout(source)
  const codeEnd = layout.signature?.dataOffset ?? source.length
  const codeLimit = alignUp(codeEnd, SIGNATURE_ALIGNMENT)
  const requirements = blob(MAGIC_REQUIREMENTS, Buffer.alloc(4))
  const cms = blob(MAGIC_CMS, Buffer.alloc(0))
  const slots: Array<[slot: number, size: number]> = [
    [SLOT_CODE_DIRECTORY, codeDirectorySize(codeLimit, identifier)],
    [SLOT_REQUIREMENTS, requirements.length],
    [SLOT_CMS, cms.length],
  ]
  const signatureSize = 12 + slots.reduce((sum, [, size]) => sum + 8 + size, 0)

  const signed = Buffer.alloc(codeLimit + signatureSize)
  source.copy(signed, 0, 0, codeEnd)
  // The header and load commands lie in the first page: change them before hashing.
  writeSignatureCommand(signed, layout, codeLimit, signatureSize)
  growLinkEdit(signed, layout, codeLimit + signatureSize)

  const directory = codeDirectory(signed.subarray(0, codeLimit), layout, identifier, requirements)
  superBlob(slots, [directory, requirements, cms]).copy(signed, codeLimit)
  return signed
}

function readLayout(file: Buffer): Layout {
  if (file.length < HEADER_BYTES || file.readUInt32LE(0) !== MACH_O_64) throw unusable('not a 64-bit Mach-O file')
  const commandCount = file.readUInt32LE(16)
  const commandsSize = file.readUInt32LE(20)
  const end = HEADER_BYTES + commandsSize
  if (end > file.length) throw unusable('load commands run past the end')

  const segments = new Map<string, Segment>()
  let signature: Layout['signature']
  let firstSectionOffset = Number.POSITIVE_INFINITY
  let at = HEADER_BYTES
  for (let index = 0; index < commandCount; index++) {
    const size = at + 8 <= end ? file.readUInt32LE(at + 4) : 0
    if (size < 8 || at + size > end) throw unusable('a load command has an impossible size')
    const command = file.readUInt32LE(at)
    if (command === LC_SEGMENT_64) {
      segments.set(readName(file, at + 8), {
        commandOffset: at,
        fileOffset: readUInt64(file, at + 40),
        fileSize: readUInt64(file, at + 48),
      })
      firstSectionOffset = Math.min(firstSectionOffset, ...sectionOffsets(file, at))
    } else if (command === LC_CODE_SIGNATURE) {
      signature = { commandOffset: at, dataOffset: file.readUInt32LE(at + 8), dataSize: file.readUInt32LE(at + 12) }
    }
    at += size
  }

  const text = segments.get('__TEXT')
  const linkEdit = segments.get('__LINKEDIT')
  if (text === undefined || linkEdit === undefined) throw unusable('no __TEXT or no __LINKEDIT segment')
  // What follows the last segment would not be mapped, and what follows an old signature would be lost.
  if (linkEdit.fileOffset + linkEdit.fileSize !== file.length) throw unusable('bytes follow the last segment')
  if (signature !== undefined && signature.dataOffset + signature.dataSize !== file.length) {
    throw unusable('its signature is not at the end')
  }
  return { cpu: file.readUInt32LE(4), commandCount, commandsSize, text, linkEdit, signature, firstSectionOffset }
}

function* sectionOffsets(file: Buffer, segmentAt: number): Generator<number> {
  const count = file.readUInt32LE(segmentAt + 64)
  for (let index = 0; index < count; index++) {
    const offset = file.readUInt32LE(segmentAt + SEGMENT_BYTES + index * SECTION_BYTES + 48)
    // Sections without bytes in the file, e.g. zero-filled ones, have none.
    if (offset !== 0) yield offset
  }
}

function writeSignatureCommand(file: Buffer, layout: Layout, dataOffset: number, dataSize: number): void {
  let at = layout.signature?.commandOffset
  if (at === undefined) {
    at = HEADER_BYTES + layout.commandsSize
    const isFree = file.subarray(at, at + SIGNATURE_COMMAND_BYTES).every((byte) => byte === 0)
    if (at + SIGNATURE_COMMAND_BYTES > layout.firstSectionOffset || !isFree) {
      throw unusable('no room for one more load command')
    }
    file.writeUInt32LE(layout.commandCount + 1, 16)
    file.writeUInt32LE(layout.commandsSize + SIGNATURE_COMMAND_BYTES, 20)
  }
  file.writeUInt32LE(LC_CODE_SIGNATURE, at)
  file.writeUInt32LE(SIGNATURE_COMMAND_BYTES, at + 4)
  file.writeUInt32LE(dataOffset, at + 8)
  file.writeUInt32LE(dataSize, at + 12)
}

function growLinkEdit(file: Buffer, layout: Layout, fileEnd: number): void {
  const { commandOffset, fileOffset } = layout.linkEdit
  const fileSize = fileEnd - fileOffset
  const pageBytes = layout.cpu === CPU_ARM64 ? 0x4000 : 0x1000
  file.writeBigUInt64LE(BigInt(alignUp(fileSize, pageBytes)), commandOffset + 32)
  file.writeBigUInt64LE(BigInt(fileSize), commandOffset + 48)
}

function codeDirectorySize(codeLimit: number, identifier: string): number {
  const hashes = SPECIAL_SLOTS + Math.ceil(codeLimit / PAGE_BYTES)
  return CODE_DIRECTORY_BYTES + Buffer.byteLength(identifier) + 1 + hashes * HASH_BYTES
}

function codeDirectory(code: Buffer, layout: Layout, identifier: string, requirements: Buffer): Buffer {
  const directory = Buffer.alloc(codeDirectorySize(code.length, identifier))
  const hashOffset = directory.length - Math.ceil(code.length / PAGE_BYTES) * HASH_BYTES
  directory.writeUInt32BE(MAGIC_CODE_DIRECTORY, 0)
  directory.writeUInt32BE(directory.length, 4)
  directory.writeUInt32BE(CODE_DIRECTORY_VERSION, 8)
  directory.writeUInt32BE(FLAG_ADHOC, 12)
  directory.writeUInt32BE(hashOffset, 16)
  directory.writeUInt32BE(CODE_DIRECTORY_BYTES, 20)
  directory.writeUInt32BE(SPECIAL_SLOTS, 24)
  directory.writeUInt32BE(Math.ceil(code.length / PAGE_BYTES), 28)
  directory.writeUInt32BE(code.length, 32)
  directory.writeUInt8(HASH_BYTES, 36)
  directory.writeUInt8(HASH_TYPE_SHA256, 37)
  directory.writeUInt8(PAGE_SHIFT, 39)
  // 40 spare, 44 scatter, 48 team, 52 spare, 56 limit of 64 bits: all zero.
  directory.writeBigUInt64BE(BigInt(layout.text.fileOffset), 64)
  directory.writeBigUInt64BE(BigInt(layout.text.fileSize), 72)
  directory.writeBigUInt64BE(BigInt(EXEC_SEGMENT_MAIN_BINARY), 80)
  directory.write(identifier, CODE_DIRECTORY_BYTES, 'utf8')

  sha256(requirements).copy(directory, hashOffset - SLOT_REQUIREMENTS * HASH_BYTES)
  for (let page = 0; page * PAGE_BYTES < code.length; page++) {
    const hash = sha256(code.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
    hash.copy(directory, hashOffset + page * HASH_BYTES)
  }
  return directory
}

function superBlob(slots: ReadonlyArray<[slot: number, size: number]>, blobs: readonly Buffer[]): Buffer {
  const index = Buffer.alloc(4 + slots.length * 8)
  index.writeUInt32BE(slots.length, 0)
  let offset = 8 + index.length
  for (const [position, [slot, size]] of slots.entries()) {
    index.writeUInt32BE(slot, 4 + position * 8)
    index.writeUInt32BE(offset, 8 + position * 8)
    offset += size
  }
  return blob(MAGIC_SUPER_BLOB, Buffer.concat([index, ...blobs]))
}

function blob(magic: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(magic, 0)
  head.writeUInt32BE(8 + content.length, 4)
  return Buffer.concat([head, content])
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function readUInt64(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at))
}

function readName(file: Buffer, at: number): string {
  return file.toString('latin1', at, at + 16).replace(/\0.*$/s, '')
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}

function unusable(reason: string): MoultError {
  return new MoultError('ERR_BUILD_FAILED', `cannot sign for macOS: ${reason}`)
}
