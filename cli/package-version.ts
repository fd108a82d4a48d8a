import { readFileSync } from 'node:fs'

/** Version of this package: package.json lies one folder up in the sources and two in `dist`. */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<
        string,
        unknown
      >
      if (name === 'moult' && typeof version === 'string') return version
    } catch {
      continue
    }
  }
  return '0.0.0'
}
