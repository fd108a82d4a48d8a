// Made-up executables of a few kilobytes: functions that call each other and load addresses, a jump table, pointers and
// unwind records. Two builds that differ by an inserted function differ in most addresses, as real ones do.

export type Random = (below: number) => number
export type Machine = 'x86-64' | 'arm64'
export type Container = 'elf' | 'mach' | 'pe'
/** `crowded`: unwind records of five bytes, so that the fields of each lie in those of others. */
export type Build = { container: Container; machine: Machine; functions: readonly number[]; crowded?: boolean }

const BASE = 0x400000
const HEADER_BYTES = 1024
const FUNCTION_WORDS = 24

/** A small linear congruential generator, so that a printed seed is enough to repeat a test. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
}

type Section = { name: string; start: number; bytes: Uint8Array; code: boolean }

/** The executable; a function is its number, which decides its body and whom it calls. */
export function makeProgram({ container, machine, functions, crowded = false }: Build): Uint8Array {
  const starts = functions.map((_, index) => index * FUNCTION_WORDS * 4)
  const textSize = functions.length * FUNCTION_WORDS * 4
  const constantsAt = HEADER_BYTES + textSize
  const constants = new Uint8Array(functions.length * 4 + 64)
  const pointers = new Uint8Array(functions.length * 8)
  const text = new Uint8Array(textSize)
  const words = new DataView(text.buffer)
  const addressOf = (id: number): number => BASE + HEADER_BYTES + (starts[functions.indexOf(id)] ?? 0)
  functions.forEach((id, index) => {
    const at = starts[index] as number
    fillBody(text.subarray(at, at + FUNCTION_WORDS * 4), id)
    const place = BASE + HEADER_BYTES + at
    const table = BASE + constantsAt
    const callee = functions[(id * 7 + 3) % functions.length] as number
    if (machine === 'x86-64') {
      text.set([0x48, 0x8d, 0x05], at)
      words.setInt32(at + 3, table - (place + 7), true)
      text[at + 40] = 0xe8
      words.setInt32(at + 41, addressOf(callee) - (place + 45), true)
    } else {
      const pages = Math.floor(table / 4096) - Math.floor(place / 4096)
      words.setInt32(at, 0x90000000 | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5) | 1, true)
      words.setInt32(at + 4, 0x91000021 | ((table % 4096) << 10), true)
      words.setInt32(at + 40, 0x94000000 | (((addressOf(callee) - (place + 40)) >> 2) & 0x3ffffff), true)
    }
    new DataView(constants.buffer).setInt32(index * 4, place - table, true)
    new DataView(pointers.buffer).setBigUint64(index * 8, BigInt(place), true)
  })
  constants.set(Buffer.from('text that stays where it is, whatever moves'), functions.length * 4)
  const pointersAt = Math.ceil((constantsAt + constants.length) / 8) * 8
  const unwind = makeUnwind(functions.length, pointersAt + pointers.length)
  if (crowded) unwind.forEach((_, at) => (unwind[at] = [1, 0, 0, 0, at & 127][at % 5] as number))
  const sections: Section[] = [
    { name: 'text', start: HEADER_BYTES, bytes: text, code: true },
    { name: 'constants', start: constantsAt, bytes: constants, code: false },
    { name: 'pointers', start: pointersAt, bytes: pointers, code: false },
    { name: 'unwind', start: pointersAt + pointers.length, bytes: unwind, code: false },
  ]
  const end = pointersAt + pointers.length + unwind.length
  if (container === 'mach') return makeMach(sections, machine, end)
  return container === 'pe' ? makePe(sections, end) : makeElf(sections, machine, end)
}

function fillBody(body: Uint8Array, id: number): void {
  const random = seededRandom(id * 2654435761)
  for (let at = 0; at < body.length; at++) body[at] = 0x20 + random(40)
}

function makeUnwind(count: number, start: number): Uint8Array {
  const bytes = new Uint8Array(24 + count * 24)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 20, true)
  for (let index = 0; index < count; index++) {
    const at = 24 + index * 24
    view.setUint32(at, 20, true)
    view.setUint32(at + 4, at + 4, true)
    view.setInt32(at + 8, HEADER_BYTES + index * FUNCTION_WORDS * 4 - (start + at + 8), true)
    view.setUint32(at + 12, FUNCTION_WORDS * 4, true)
  }
  return bytes
}

function placeSections(sections: readonly Section[], size: number): { file: Uint8Array; view: DataView } {
  const file = new Uint8Array(size)
  for (const { start, bytes } of sections) file.set(bytes, start)
  return { file, view: new DataView(file.buffer) }
}

function makeElf(sections: readonly Section[], machine: Machine, end: number): Uint8Array {
  const names = { text: '.text', constants: '.rodata', pointers: '.data', unwind: '.eh_frame' } as Record<
    string,
    string
  >
  const strings = Buffer.from(`\0${sections.map(({ name }) => names[name]).join('\0')}\0.shstrtab\0`)
  const { file, view } = placeSections(sections, end + strings.length + (sections.length + 2) * 64)
  file.set(strings, end)
  const table = end + strings.length
  view.setUint32(0, 0x7f454c46)
  file.set([2, 1], 4)
  view.setUint16(18, machine === 'arm64' ? 183 : 62, true)
  view.setBigUint64(40, BigInt(table), true)
  view.setUint16(60, sections.length + 2, true)
  view.setUint16(62, sections.length + 1, true)
  const all = [...sections, { name: 'names', start: end, bytes: strings, code: false }]
  all.forEach(({ name, start, bytes, code }, index) => {
    const at = table + (index + 1) * 64
    const loaded = index < sections.length
    view.setUint32(at, strings.indexOf(`${names[name] ?? '.shstrtab'}\0`), true)
    view.setUint32(at + 4, loaded ? 1 : 3, true)
    view.setUint32(at + 8, loaded ? (code ? 6 : 2) : 0, true)
    view.setBigUint64(at + 16, BigInt(loaded ? BASE + start : 0), true)
    view.setBigUint64(at + 24, BigInt(start), true)
    view.setBigUint64(at + 32, BigInt(bytes.length), true)
  })
  return file
}

function makeMach(sections: readonly Section[], machine: Machine, end: number): Uint8Array {
  const names = { text: '__text', constants: '__const', pointers: '__data', unwind: '__eh_frame' } as Record<
    string,
    string
  >
  const { file, view } = placeSections(sections, end)
  view.setUint32(0, 0xfeedfacf, true)
  view.setUint32(4, machine === 'arm64' ? 0x0100000c : 0x01000007, true)
  view.setUint32(16, 1, true)
  view.setUint32(32, 0x19, true)
  view.setUint32(36, 72 + sections.length * 80, true)
  view.setBigUint64(32 + 24, BigInt(BASE), true)
  view.setUint32(32 + 64, sections.length, true)
  sections.forEach(({ name, start, bytes, code }, index) => {
    const at = 32 + 72 + index * 80
    file.set(Buffer.from(names[name] as string), at)
    view.setBigUint64(at + 32, BigInt(BASE + start), true)
    view.setBigUint64(at + 40, BigInt(bytes.length), true)
    view.setUint32(at + 48, start, true)
    view.setUint32(at + 64, code ? 0x80000400 : 0, true)
  })
  return file
}

function makePe(sections: readonly Section[], end: number): Uint8Array {
  const names = { text: '.text', constants: '.rdata', pointers: '.data', unwind: '.xdata' } as Record<string, string>
  const { file, view } = placeSections(sections, end)
  view.setUint16(0, 0x4d5a)
  view.setUint32(60, 64, true)
  view.setUint32(64, 0x50450000)
  view.setUint16(68, 0x8664, true)
  view.setUint16(70, sections.length, true)
  view.setUint16(84, 112, true)
  view.setUint16(88, 0x20b, true)
  view.setBigUint64(88 + 24, BigInt(BASE), true)
  sections.forEach(({ name, start, bytes, code }, index) => {
    const at = 88 + 112 + index * 40
    file.set(Buffer.from(names[name] as string), at)
    view.setUint32(at + 8, bytes.length, true)
    view.setUint32(at + 12, start, true)
    view.setUint32(at + 16, bytes.length, true)
    view.setUint32(at + 20, start, true)
    view.setUint32(at + 36, code ? 0x20000020 : 0x40000040, true)
  })
  return file
}
