import type { Random } from './random.ts'

const SPECIAL = [0x00, 0x09, 0x0a, 0x20, 0x22, 0x2c, 0x2d, 0x30, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xed, 0xef, 0xff]

/** One change of bytes; `other` is material to splice in. */
export function mutateBytes(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1)
  const head = bytes.subarray(0, at)
  const length = 1 + random.below(random.once(4) ? 64 : 3)
  const tail = bytes.subarray(Math.min(bytes.length, at + length))
  switch (random.below(8)) {
    case 0:
    case 1:
      return bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte))
    case 2:
      return bytes.map((byte, index) => (index === at ? random.pick(SPECIAL) : byte))
    case 3:
      return join(head, [random.once(2) ? random.pick(SPECIAL) : random.below(256)], bytes.subarray(at))
    case 4:
      return join(head, tail)
    case 5:
      return join(head, bytes.subarray(at, at + length), bytes.subarray(at))
    case 6: {
      const from = random.below(other.length)
      return join(head, other.subarray(from, from + length), random.once(2) ? tail : bytes.subarray(at))
    }
    default:
      return random.once(3) ? new Uint8Array(head) : join(head, [...bytes.subarray(at, at + length)].toReversed(), tail)
  }
}

function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]))
}
