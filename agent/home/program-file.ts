/**
 * File name of a program that is one file. Windows starts nothing by a name without `.exe`.
 * @param os `process.platform`
 */
export function programFile(name: string, os: string = process.platform): string {
  return os === 'win32' ? `${name}.exe` : name
}
