// The regions of a PE32+ file for x86-64.

import { REGION_KINDS, type Region } from './executable-map.ts'

const MACHINE_X86_64 = 0x8664
const PE32_PLUS = 0x20b
const IS_CODE = 0x20000020

export function readPeRegions(file: Uint8Array): Region[] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 64 || view.getUint16(0) !== 0x4d5a) return undefined
  const header = view.getUint32(60, true)
  if (view.getUint32(header) !== 0x50450000 || view.getUint16(header + 4, true) !== MACHINE_X86_64) return undefined
  const optional = header + 24
  if (view.getUint16(optional, true) !== PE32_PLUS) return undefined
  const imageBase = Number(view.getBigUint64(optional + 24, true))
  const count = view.getUint16(header + 6, true)
  const table = optional + view.getUint16(header + 20, true)
  const regions: Region[] = []
  for (let index = 0; index < count; index++) {
    const at = table + index * 40
    const memory = view.getUint32(at + 8, true)
    const address = imageBase + view.getUint32(at + 12, true)
    const size = view.getUint32(at + 16, true)
    const start = view.getUint32(at + 20, true)
    const flags = view.getUint32(at + 36, true)
    if (size === 0 || start === 0 || start + size > file.length) continue
    let name = ''
    for (let letter = at; letter < at + 8 && file[letter] !== 0; letter++)
      name += String.fromCharCode(file[letter] as number)
    let kind: number = REGION_KINDS.pointers
    if ((flags & IS_CODE) !== 0) kind = REGION_KINDS.x86Code
    else if (name === '.pdata') kind = REGION_KINDS.imageWords
    else if (name === '.rdata') kind = REGION_KINDS.constants
    else if (name === '.rsrc' || name === '.reloc') kind = REGION_KINDS.bytes
    regions.push({ start, end: start + size, address, spare: Math.max(0, memory - size), kind, image: 0 })
  }
  return regions
}
