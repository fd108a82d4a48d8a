/** A text as one word of a command line: for commands that run, and for those in hints that people copy. */
export function shellWord(text: string): string {
  if (/^[\w./:+@=,-]+$/.test(text)) return text
  return process.platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", `'\\''`)}'`
}
