/** The members of a JSON object; undefined for any other text. The parser's own message would quote the file: a key. */
export function parseMembers(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
