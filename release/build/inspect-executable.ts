import { open } from 'node:fs/promises'
import { MoultError } from '../../manifests/errors.ts'
import type { Platform } from '../../manifests/platform.ts'

export type ExecutableFormat = 'elf' | 'mach-o' | 'pe' | 'script'

export interface ExecutableFacts {
  /** In Go's names; `any` for a script. */
  os: string
  /** In Go's names; `any` for a script, `universal` for a Mach-O file of several. */
  arch: string
  format: ExecutableFormat
}

const HEAD_BYTES = 4096

const ELF_ARCH: Readonly<Record<number, string>> = {
  0x03: '386',
  0x08: 'mips',
  0x15: 'ppc64',
  0x16: 's390x',
  0x28: 'arm',
  0x3e: 'amd64',
  0xb7: 'arm64',
  0xf3: 'riscv64',
  0x102: 'loong64',
}
// Linux programs carry 0 (System V) or 3.
const ELF_OS: Readonly<Record<number, string>> = {
  0: 'linux',
  3: 'linux',
  2: 'netbsd',
  6: 'solaris',
  9: 'freebsd',
  12: 'openbsd',
}
const MACH_O_ARCH: Readonly<Record<number, string>> = { 0x01000007: 'amd64', 0x0100000c: 'arm64', 7: '386', 12: 'arm' }
const PE_ARCH: Readonly<Record<number, string>> = { 0x014c: '386', 0x01c4: 'arm', 0x8664: 'amd64', 0xaa64: 'arm64' }

/**
 * Reads from a file's first bytes for which system and processor it was made.
 * @throws MoultError ERR_BUILD_FAILED when it is no executable of a known format
 */
export async function inspectExecutable(path: string): Promise<ExecutableFacts> {
  const facts = readFacts(await readHead(path))
  if (facts === undefined) {
    throw new MoultError('ERR_BUILD_FAILED', `not an executable of a known format: ${path}`, {
      hint: 'A program is an ELF, Mach-O or PE file, or a script whose first line starts with `#!`.',
    })
  }
  return facts
}

/**
 * Holds a built file against the platform it is released for. A script fits every platform but Windows.
 * @throws MoultError ERR_BUILD_FAILED when they differ
 */
export async function assertPlatform(path: string, platform: Platform): Promise<ExecutableFacts> {
  const facts = await inspectExecutable(path)
  const [os, arch] = platform.split('-')
  const fits =
    facts.format === 'script'
      ? os !== 'windows'
      : facts.os === os && (facts.arch === arch || facts.arch === 'universal')
  if (!fits) {
    const found = facts.format === 'script' ? 'a script' : `${facts.os}-${facts.arch}`
    throw new MoultError('ERR_BUILD_FAILED', `built for another platform: ${path} is ${found}, not ${platform}`, {
      details: { path, platform, found: facts },
    })
  }
  return facts
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function readFacts(head: Buffer): ExecutableFacts | undefined {
  if (head.length >= 2 && head.toString('latin1', 0, 2) === '#!') return { os: 'any', arch: 'any', format: 'script' }
  if (head.length < 64) return undefined
  if (head.readUInt32BE(0) === 0x7f454c46) return readElf(head)
  const magic = head.readUInt32LE(0)
  if (magic === 0xfeedfacf || magic === 0xfeedface) return machO(MACH_O_ARCH[head.readUInt32LE(4)])
  // A Java class begins with the same four bytes; its next number is a version of 45 or more, here it is a count.
  if (magic === 0xbebafeca && head.readUInt32BE(4) < 20) return machO('universal')
  if (head.toString('latin1', 0, 2) === 'MZ') return readPe(head)
  return undefined
}

function readElf(head: Buffer): ExecutableFacts | undefined {
  const isLittleEndian = head[5] === 1
  const type = isLittleEndian ? head.readUInt16LE(16) : head.readUInt16BE(16)
  // 2 is an executable, 3 a position-independent one; 1 would be an object file.
  if (type !== 2 && type !== 3) return undefined
  const machine = isLittleEndian ? head.readUInt16LE(18) : head.readUInt16BE(18)
  const os = ELF_OS[head[7] ?? 0]
  const arch = ELF_ARCH[machine]
  if (os === undefined || arch === undefined) return undefined
  return { os, arch: elfArch(arch, isLittleEndian, head[4] === 2), format: 'elf' }
}

function elfArch(arch: string, isLittleEndian: boolean, is64Bit: boolean): string {
  if (arch === 'mips') return `mips${is64Bit ? '64' : ''}${isLittleEndian ? 'le' : ''}`
  return arch === 'ppc64' && isLittleEndian ? 'ppc64le' : arch
}

function machO(arch: string | undefined): ExecutableFacts | undefined {
  return arch === undefined ? undefined : { os: 'darwin', arch, format: 'mach-o' }
}

function readPe(head: Buffer): ExecutableFacts | undefined {
  const offset = head.readUInt32LE(60)
  if (offset + 6 > head.length || head.toString('latin1', offset, offset + 4) !== 'PE\0\0') return undefined
  const arch = PE_ARCH[head.readUInt16LE(offset + 4)]
  return arch === undefined ? undefined : { os: 'windows', arch, format: 'pe' }
}
