// The regions of a 64-bit Mach-O file; those of a universal file have an image for each slice.

import { REGION_KINDS, type Region } from './executable-map.ts'
import { HASH_BYTES } from './page-hashes.ts'

const CPU_X86_64 = 0x01000007
const CPU_ARM64 = 0x0100000c
const MAGIC_64 = 0xfeedfacf
const MAGIC_UNIVERSAL = 0xcafebabe
const SLICES_MAX = 8
const LC_SEGMENT_64 = 0x19
const LC_SYMTAB = 2
const LC_CODE_SIGNATURE = 0x1d
const SIGNATURE_MAGIC = 0xfade0cc0
const DIRECTORY_MAGIC = 0xfade0c02
const SHA256_TYPE = 2
const PAGE_4096 = 12
const HAS_INSTRUCTIONS = 0x80000400
const ZERO_FILL = 1
const THREAD_ZERO_FILL = 0x12

export function readMachRegions(file: Uint8Array): Region[] | undefined {
  if (file.length < 32) return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (view.getUint32(0) !== MAGIC_UNIVERSAL) return readSlice(file)
  const count = view.getUint32(4)
  if (count > SLICES_MAX) return undefined
  const regions: Region[] = []
  let images = 0
  for (let index = 0; index < count; index++) {
    const start = view.getUint32(8 + index * 20 + 8)
    const size = view.getUint32(8 + index * 20 + 12)
    if (start + size > file.length) return undefined
    const slice = readSlice(file.subarray(start, start + size)) ?? []
    for (const region of slice) {
      region.start += start
      region.end += start
      if (region.kind === REGION_KINDS.pageHashes) region.address = start
      region.image = images
      regions.push(region)
    }
    if (slice.length > 0) images++
  }
  return regions
}

function readSlice(file: Uint8Array): Region[] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 32 || view.getUint32(0, true) !== MAGIC_64) return undefined
  const machine = view.getUint32(4, true)
  if (machine !== CPU_X86_64 && machine !== CPU_ARM64) return undefined
  const count = view.getUint32(16, true)
  const regions: Region[] = []
  let at = 32
  for (let index = 0; index < count; index++) {
    const command = view.getUint32(at, true)
    const size = view.getUint32(at + 4, true)
    if (size < 8) return undefined
    if (command === LC_SEGMENT_64) readSegment(view, at, machine === CPU_ARM64, regions)
    if (command === LC_SYMTAB) {
      const start = view.getUint32(at + 8, true)
      const end = start + view.getUint32(at + 12, true) * 16
      if (end <= file.length && end > start)
        regions.push({ start, end, address: -1, spare: 0, kind: REGION_KINDS.machSymbols, image: 0 })
      const names = view.getUint32(at + 16, true)
      const namesEnd = names + view.getUint32(at + 20, true)
      if (namesEnd <= file.length && namesEnd > names)
        regions.push({ start: names, end: namesEnd, address: -1, spare: 0, kind: REGION_KINDS.bytes, image: 0 })
    }
    if (command === LC_CODE_SIGNATURE) readSignature(view, view.getUint32(at + 8, true), regions)
    at += size
  }
  return regions.filter((region) => region.end <= file.length)
}

function readSegment(view: DataView, at: number, arm: boolean, regions: Region[]): void {
  const sections = view.getUint32(at + 64, true)
  for (let index = 0; index < sections; index++) {
    const section = at + 72 + index * 80
    const address = Number(view.getBigUint64(section + 32, true))
    const size = Number(view.getBigUint64(section + 40, true))
    const start = view.getUint32(section + 48, true)
    const flags = view.getUint32(section + 64, true)
    const type = flags & 0xff
    if (size === 0) continue
    if (type === ZERO_FILL || type === THREAD_ZERO_FILL) {
      const last = regions.at(-1)
      if (last !== undefined && last.address >= 0)
        last.spare = Math.max(0, address + size - last.address - (last.end - last.start))
      continue
    }
    const name = readName(view, section)
    let kind: number = REGION_KINDS.pointers
    if ((flags & HAS_INSTRUCTIONS) !== 0) kind = arm ? REGION_KINDS.arm64Code : REGION_KINDS.x86Code
    else if (name === '__eh_frame') kind = REGION_KINDS.unwind
    else if (name === '__gopclntab') kind = REGION_KINDS.goTable
    else if (name === '__const' || name === '__rodata' || name === '__gcc_except_tab') kind = REGION_KINDS.constants
    else if (name === '__cstring') kind = REGION_KINDS.bytes
    regions.push({ start, end: start + size, address, spare: 0, kind, image: 0 })
  }
}

/** The hashes in the code directory of a signature (big-endian, unlike the rest). */
function readSignature(view: DataView, signature: number, regions: Region[]): void {
  if (view.getUint32(signature) !== SIGNATURE_MAGIC) return
  const count = Math.min(16, view.getUint32(signature + 8))
  for (let index = 0; index < count; index++) {
    const directory = signature + view.getUint32(signature + 12 + index * 8 + 4)
    if (view.getUint32(directory) !== DIRECTORY_MAGIC) continue
    if (view.getUint8(directory + 36) !== HASH_BYTES || view.getUint8(directory + 37) !== SHA256_TYPE) continue
    if (view.getUint8(directory + 39) !== PAGE_4096) continue
    const start = directory + view.getUint32(directory + 16)
    const end = start + view.getUint32(directory + 28) * HASH_BYTES
    if (end > start) regions.push({ start, end, address: 0, spare: 0, kind: REGION_KINDS.pageHashes, image: 0 })
  }
}

function readName(view: DataView, at: number): string {
  let name = ''
  for (let index = 0; index < 16 && view.getUint8(at + index) !== 0; index++)
    name += String.fromCharCode(view.getUint8(at + index))
  return name
}
