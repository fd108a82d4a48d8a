// Files that are executables by their headers only: enough for code that reads headers, and a few kilobytes long.

export function elf(machine: number, options: { osAbi?: number; type?: number } = {}): Buffer {
  const file = Buffer.alloc(256)
  file.writeUInt32BE(0x7f454c46, 0)
  file.set([2, 1, 1, options.osAbi ?? 0], 4)
  file.writeUInt16LE(options.type ?? 2, 16)
  file.writeUInt16LE(machine, 18)
  return file
}

export function pe(machine: number): Buffer {
  const file = Buffer.alloc(512)
  file.write('MZ', 0, 'latin1')
  file.writeUInt32LE(128, 60)
  file.write('PE\0\0', 128, 'latin1')
  file.writeUInt16LE(machine, 132)
  return file
}

const TEXT_SIZE = 0x8000

/** A 64-bit Mach-O file with the three segments that signing needs, and an odd number of bytes in the last. */
export function machO(cpu: number, options: { linkEditSize?: number; firstSection?: number } = {}): Buffer {
  const linkEditSize = options.linkEditSize ?? 1234
  const firstSection = options.firstSection ?? 0x1000
  const commands = [
    segment('__PAGEZERO', { address: 0, memory: 0x1_0000_0000, offset: 0, size: 0 }),
    segment('__TEXT', { address: 0x1_0000_0000, memory: TEXT_SIZE, offset: 0, size: TEXT_SIZE }, firstSection),
    segment('__LINKEDIT', { address: 0x1_0000_8000, memory: 0x4000, offset: TEXT_SIZE, size: linkEditSize }),
  ]
  const body = Buffer.concat(commands)
  const file = Buffer.alloc(TEXT_SIZE + linkEditSize)
  for (let at = firstSection; at < file.length; at++) file[at] = (at * 31 + (at >> 8)) & 0xff
  for (const [index, value] of [0xfeedfacf, cpu, 0, 2, commands.length, body.length, 0, 0].entries()) {
    file.writeUInt32LE(value, index * 4)
  }
  body.copy(file, 32)
  return file
}

interface Range {
  address: number
  memory: number
  offset: number
  size: number
}

function segment(name: string, range: Range, sectionOffset?: number): Buffer {
  const command = Buffer.alloc(72 + (sectionOffset === undefined ? 0 : 80))
  command.writeUInt32LE(0x19, 0)
  command.writeUInt32LE(command.length, 4)
  command.write(name, 8, 'latin1')
  command.writeBigUInt64LE(BigInt(range.address), 24)
  command.writeBigUInt64LE(BigInt(range.memory), 32)
  command.writeBigUInt64LE(BigInt(range.offset), 40)
  command.writeBigUInt64LE(BigInt(range.size), 48)
  if (sectionOffset !== undefined) {
    command.writeUInt32LE(1, 64)
    command.write('__text', 72, 'latin1')
    command.write(name, 88, 'latin1')
    command.writeBigUInt64LE(BigInt(range.size - sectionOffset), 112)
    command.writeUInt32LE(sectionOffset, 120)
  }
  return command
}
