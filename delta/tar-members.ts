// Where the files lie in a tar: the executables among them are predicted like those that come alone.

const BLOCK_BYTES = 512
const SIZE_AT = 124
const SIZE_BYTES = 12
const CHECKSUM_AT = 148
const CHECKSUM_BYTES = 8
const TYPE_AT = 156
const REGULAR_TYPES = [0, 48]

export type TarMember = { start: number; end: number }

/** The regular files of a tar in their order; undefined for what is none. A broken end leaves out what follows. */
export function readTarMembers(file: Uint8Array): TarMember[] | undefined {
  const members: TarMember[] = []
  let at = 0
  for (; at + BLOCK_BYTES <= file.length;) {
    const header = file.subarray(at, at + BLOCK_BYTES)
    if (!isHeader(header)) break
    const start = at + BLOCK_BYTES
    const size = readSize(header)
    if (start + size > file.length) break
    if (REGULAR_TYPES.includes(header[TYPE_AT] as number)) members.push({ start, end: start + size })
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES
  }
  return at === 0 ? undefined : members
}

/** Whether the sum that a header holds is that of its bytes, the sum itself read as spaces. */
function isHeader(header: Uint8Array): boolean {
  let sum = 0
  header.forEach((byte, index) => {
    sum += index >= CHECKSUM_AT && index < CHECKSUM_AT + CHECKSUM_BYTES ? 32 : byte
  })
  return sum > CHECKSUM_BYTES * 32 && readOctal(header, CHECKSUM_AT, CHECKSUM_BYTES) === sum
}

function readSize(header: Uint8Array): number {
  if (((header[SIZE_AT] as number) & 0x80) === 0) return readOctal(header, SIZE_AT, SIZE_BYTES)
  // Sizes that octal digits cannot tell are binary.
  let size = 0
  for (let at = SIZE_AT + 4; at < SIZE_AT + SIZE_BYTES; at++) size = size * 256 + (header[at] as number)
  return size
}

function readOctal(header: Uint8Array, at: number, length: number): number {
  const text = String.fromCharCode(...header.subarray(at, at + length))
  return Number.parseInt(/^ *([0-7]+)/.exec(text)?.[1] ?? '-1', 8)
}
