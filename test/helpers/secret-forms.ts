// Finds a secret in what a program gave away, in any of the forms in which programs print bytes, also a part of it.

/** Less is found by chance, and can be guessed anyway. */
const PART_BYTES = 8
/** Characters of base64 that 8 bytes make, without the ones that they share with their neighbours. */
const PART_BASE64_CHARS = 10

/** The form in which a part of the secret is there; undefined when none is. */
export function findSecret(haystack: Buffer, secret: Uint8Array): string | undefined {
  const bytes = Buffer.from(secret)
  for (const part of windows([...bytes], PART_BYTES)) if (haystack.includes(Buffer.from(part))) return 'raw'
  const text = haystack.toString('latin1')

  // 01ab, 01 AB, 01:ab, 0x01, 0xab
  const digits = text.toLowerCase().replace(/0x|[\s:,<>[\]"'\\-]/g, '')
  for (const part of windows([...bytes], PART_BYTES)) {
    if (digits.includes(Buffer.from(part).toString('hex'))) return 'hexadecimal'
  }

  // 1,171 and [ 1, 171 ] and 1 171 and {"0":1,"1":171}
  const numbers = `,${text.replace(/"\d+":/g, ',').replace(/\D+/g, ',')},`
  for (const part of windows([...bytes], PART_BYTES)) if (numbers.includes(`,${part.join(',')},`)) return 'decimal'

  // Inside of other bytes it begins at any of three places of a group. Line ends may divide it.
  const letters = text
    .replace(/\\n|\s/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    for (const part of windows(encoded.slice(before === 0 ? 0 : before + 1, -1).split(''), PART_BASE64_CHARS)) {
      if (letters.includes(part.join(''))) return 'base64'
    }
  }
  return undefined
}

function* windows<T>(items: readonly T[], length: number): Generator<T[]> {
  for (let start = 0; start + length <= items.length; start++) yield items.slice(start, start + length)
}
