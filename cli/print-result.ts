/** A result on stdout: one JSON object for machines, lines for people. */
export function printResult(isJson: boolean | undefined, result: object, lines: readonly string[]): void {
  console.log(isJson === true ? JSON.stringify(result) : lines.map(printable).join('\n'))
}

/** What others have signed or named may hold what a terminal would obey, or what turns a line around. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]|\p{Cf}/gu, '?')
}

export function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const [unit, size] =
    bytes < 1_000_000 ? ['kB', bytes / 1000] : bytes < 1e9 ? ['MB', bytes / 1e6] : ['GB', bytes / 1e9]
  return `${size.toFixed(1)} ${unit}`
}
