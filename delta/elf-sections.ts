// The regions of a 64-bit little-endian ELF file.

import { REGION_KINDS, type Region } from './executable-map.ts'

const EM_X86_64 = 62
const EM_AARCH64 = 183
const SHT_SYMTAB = 2
const SHT_RELA = 4
const SHT_NOBITS = 8
const SHT_DYNSYM = 11
const SHF_ALLOC = 2
const SHF_EXECINSTR = 4
const SHF_TLS = 0x400

export function readElfRegions(file: Uint8Array): Region[] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 64 || view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) return undefined
  const machine = view.getUint16(18, true)
  if (machine !== EM_X86_64 && machine !== EM_AARCH64) return undefined
  const table = Number(view.getBigUint64(40, true))
  const count = view.getUint16(60, true)
  const names = view.getUint16(62, true)
  if (table === 0 || count === 0 || table + count * 64 > file.length) return undefined
  const header = (index: number): number => table + index * 64
  const namesAt = Number(view.getBigUint64(header(names) + 24, true))
  const regions: Region[] = []
  for (let index = 1; index < count; index++) {
    const at = header(index)
    const type = view.getUint32(at + 4, true)
    const flags = view.getUint32(at + 8, true)
    const address = Number(view.getBigUint64(at + 16, true))
    const start = Number(view.getBigUint64(at + 24, true))
    const size = Number(view.getBigUint64(at + 32, true))
    const name = readName(file, namesAt + view.getUint32(at, true))
    if (size === 0) continue
    // Tools that add to a finished file leave loaded sections without an address.
    const loaded = (flags & SHF_ALLOC) !== 0 && (address !== 0 || start === 0)
    if (type === SHT_NOBITS) {
      const last = regions.at(-1)
      if (last !== undefined && loaded && (flags & SHF_TLS) === 0 && last.address >= 0) {
        last.spare = Math.max(0, address + size - (last.address + last.end - last.start))
      }
      continue
    }
    if (start + size > file.length) return undefined
    const kind = sectionKind(name, type, flags, machine === EM_AARCH64)
    regions.push({ start, end: start + size, address: loaded ? address : -1, spare: 0, kind, image: 0 })
  }
  return regions
}

function sectionKind(name: string, type: number, flags: number, arm: boolean): number {
  if ((flags & SHF_EXECINSTR) !== 0) return arm ? REGION_KINDS.arm64Code : REGION_KINDS.x86Code
  if (type === SHT_RELA) return REGION_KINDS.relocations
  if (type === SHT_SYMTAB || type === SHT_DYNSYM) return REGION_KINDS.symbols
  if (name === '.eh_frame') return REGION_KINDS.unwind
  if (name === '.eh_frame_hdr') return REGION_KINDS.unwindIndex
  if (name === '.gopclntab') return REGION_KINDS.goTable
  if (/^\.(debug|gnu\.build)/.test(name)) return REGION_KINDS.debug
  if ((flags & SHF_ALLOC) === 0) return REGION_KINDS.bytes
  if (name === '.rodata' || name === '.gcc_except_table') return REGION_KINDS.constants
  if (/^\.(dynstr|gnu\.|note|hash|interp)/.test(name)) return REGION_KINDS.bytes
  return REGION_KINDS.pointers
}

function readName(file: Uint8Array, at: number): string {
  let text = ''
  for (let index = at; index < file.length && file[index] !== 0 && text.length < 64; index++) {
    text += String.fromCharCode(file[index] as number)
  }
  return text
}
