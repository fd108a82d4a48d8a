// `{os}`, `{arch}` and the like in paths and commands of the configuration.

import { distance } from 'fastest-levenshtein'

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

/**
 * Fills one word of a command. Other braces stay: `awk '{print}'` is no mistake, and `${out}` is a shell's.
 * @throws MoultError ERR_CONFIG_INVALID for what is nearly a placeholder
 */
export function fillWord(word: string, values: Placeholders): string {
  return word.replace(/(?<!\$)\{([A-Za-z]+)\}/g, (whole, key: string) => {
    const value = lookUp(key, values)
    if (value !== undefined) return value
    const near = misspelt(key, Object.keys(values))
    if (near === undefined) return whole
    throw new MoultError('ERR_CONFIG_INVALID', `no such placeholder: ${whole} in ${word}`, {
      hint: `Did you mean {${near}}?`,
      details: { template: word, placeholder: key },
    })
  })
}

/** Stricter than for a path, where every brace is a placeholder: `{go}` and `{x}` may be meant as they are. */
function misspelt(key: string, known: readonly string[]): string | undefined {
  const near = nearestName(key, known)
  if (near === undefined || key.length < 2) return undefined
  const steps = distance(key.toLowerCase(), near)
  return steps <= (key.length < 5 ? 1 : 2) ? near : undefined
}

function lookUp(key: string, values: Placeholders): string | undefined {
  return Object.hasOwn(values, key) ? values[key as keyof Placeholders] : undefined
}
