// Archives byte by byte, for tests of what no tar program would write.

export interface Member {
  readonly name: string
  readonly type?: string
  readonly body?: string | Buffer
  /** What the header claims, when that is not the length of the body; text as it stands there. */
  readonly size?: number | string
  readonly mode?: number
  readonly link?: string
  readonly magic?: string
}

/** A member by the bytes of POSIX.1-1988 ustar, so that it can say what no tar program would write. */
export function member({
  name,
  type = '0',
  body = '',
  size,
  mode = 0o644,
  link = '',
  magic = 'ustar\x0000',
}: Member): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(512)
  header.write(name, 0, 100, 'latin1')
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
  header.write('0000000\x000000000\0', 108)
  const claimed = typeof size === 'string' ? size : `${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`
  header.write(claimed, 124, 12, 'latin1')
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(link, 157, 100, 'latin1')
  header.write(magic, 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

export function pax(records: Record<string, string>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    let length = Buffer.byteLength(rest) + 1
    while (String(length).length + Buffer.byteLength(rest) !== length)
      length = String(length).length + Buffer.byteLength(rest)
    return `${length}${rest}`
  })
  return member({ name: 'pax', type, body: lines.join('') })
}

export const END = Buffer.alloc(1024)
export const archive = (...members: readonly (Member | Buffer)[]): Buffer =>
  Buffer.concat([...members.map((one) => (Buffer.isBuffer(one) ? one : member(one))), END])
