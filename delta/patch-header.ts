// The few bytes before the coded part: format, size of the old and of the new file.

import { FILE_MAX_BYTES } from './patch-layout.ts'
import { PatchError, type ByteSource } from './range-coder.ts'

const FORMAT = 0xd1
const HEADER_MAX_BYTES = 11

export type PatchHeader = { oldSize: number; newSize: number; bodyAt: number }

export function writeHeader(oldSize: number, newSize: number, body: Uint8Array): Uint8Array {
  const header = [FORMAT]
  for (const size of [oldSize, newSize]) {
    let rest = size
    for (; rest > 127; rest = Math.floor(rest / 128)) header.push((rest & 127) | 128)
    header.push(rest)
  }
  const patch = new Uint8Array(header.length + body.length)
  patch.set(header)
  patch.set(body, header.length)
  return patch
}

export function readHeader(source: ByteSource): PatchHeader {
  const bytes = new Uint8Array(Math.min(HEADER_MAX_BYTES, source.length))
  source.read(bytes, 0)
  if (bytes[0] !== FORMAT) throw new PatchError('not a patch of a known format')
  let at = 1
  const next = (): number => {
    let value = 0
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new PatchError('the patch ends in its header')
      value += (byte & 127) * scale
      if (byte < 128) {
        if (value > FILE_MAX_BYTES) throw new PatchError('a file of the patch is too large')
        return value
      }
    }
    throw new PatchError('a size in the header is too long')
  }
  const oldSize = next()
  const newSize = next()
  return { oldSize, newSize, bodyAt: at }
}
