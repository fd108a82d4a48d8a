// `{os}`, `{arch}` and the like in paths and commands of the configuration.

import { MoultError, nearestName, type Platform } from '../manifests/index.ts'

export type Placeholders = Readonly<Record<'os' | 'arch' | 'platform' | 'version' | 'name' | 'exe', string>> & {
  readonly out?: string
}

export function placeholdersOf(name: string, version: string, platform: Platform): Placeholders {
  const [os = '', arch = ''] = platform.split('-')
  return { os, arch, platform, version, name, exe: os === 'windows' ? '.exe' : '' }
}

/** Fills a path. @throws MoultError ERR_CONFIG_INVALID for a placeholder that does not exist */
export function fillPath(template: string, values: Placeholders): string {
  return template.replace(/\{([^{}]*)\}/g, (whole, key: string) => {
    const value = lookUp(key, values)
    if (value !== undefined) return value
    const near = nearestName(key, Object.keys(values))
    throw new MoultError('ERR_CONFIG_INVALID', `no such placeholder: ${whole} in ${template}`, {
      hint:
        near === undefined
          ? `Known: ${Object.keys(values)
              .map((known) => `{${known}}`)
              .join(' ')}.`
          : `Did you mean {${near}}?`,
      details: { template, placeholder: key },
    })
  })
}

/** Fills one word of a command. Other braces stay: `awk '{print}'` is no mistake. */
export function fillWord(word: string, values: Placeholders): string {
  return word.replace(/\{([a-z]+)\}/g, (whole, key: string) => lookUp(key, values) ?? whole)
}

function lookUp(key: string, values: Placeholders): string | undefined {
  return Object.hasOwn(values, key) ? values[key as keyof Placeholders] : undefined
}
