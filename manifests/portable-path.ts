// Names that are a file of their own on every system. Windows drops a dot at the end of a name, and gives the name of a
// device, whatever its ending, to the device: two entries of an archive could become one file, or none.

const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i

/** @param path relative, with `/`, of the characters that `entryPathShape` allows */
export function isPortablePath(path: string): boolean {
  return path.split('/').every((part) => !part.endsWith('.') && !DEVICE.test(part))
}
