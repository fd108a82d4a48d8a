import type { Disk } from './disk.ts'

/**
 * Replaces a file that only tells and decides nothing: whole at every moment, but a power cut may bring the old one back.
 * @throws errors of node:fs
 */
export function replaceToldFile(disk: Disk, path: string, text: string, mode: number): void {
  const temporary = `${path}.new`
  disk.remove(temporary)
  disk.writeFile(temporary, Buffer.from(text), mode)
  disk.rename(temporary, path)
}
