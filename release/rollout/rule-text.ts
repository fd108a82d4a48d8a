// Rules as a person writes them: `label:ring=canary & version:<2.0.0 -> 0h:5%,24h:100%; window 02:00-05:00`.

import {
  isVersion,
  nearestName,
  parseDate,
  type Rule,
  type RuleMatch,
  rulesShape,
  shape,
  type Stage,
} from '../../manifests/index.ts'
import { parseStages, printStages, type StageOffset } from '../stages.ts'
import { parseFlags, printFlags } from './flag-text.ts'
import { quote, splitUnquoted, unquote } from './quoted-text.ts'
import type { RuleDraft } from './rule-draft.ts'
import { parseWindows, printWindows } from './window-text.ts'

type Draft = { -readonly [K in keyof RuleDraft]: RuleDraft[K] }

const CONDITIONS = ['all', 'label', 'id', 'platform', 'version'] as const
const EFFECTS = ['pin', 'hold', 'window', 'flag'] as const
const A_RULE = "a rule such as 'label:ring=canary -> 100%'"

/** @param path what the text is called in an error. @throws ShapeMismatch */
export function parseRule(text: string, path: string): RuleDraft {
  const [conditions, effects, ...more] = splitUnquoted(text, '->')
  if (conditions === undefined || effects === undefined || more.length > 0)
    throw new shape.ShapeMismatch(path, `${A_RULE}, with one arrow`, JSON.stringify(text))
  const draft: Draft = { match: parseMatch(conditions, path) }
  for (const effect of splitUnquoted(effects, ';')) addEffect(draft, effect, path)
  return draft
}

/** The text of a rule; `parseRule` gives the same draft again. */
export function printRule({ match, stages, pin, hold, windows, flags }: RuleDraft): string {
  const effects = [
    ...(stages === undefined ? [] : [printStages(stages)]),
    ...(pin === undefined ? [] : [`pin ${pin}`]),
    ...(hold === true ? ['hold'] : []),
    ...(windows === undefined ? [] : [`window ${printWindows(windows)}`]),
    ...printFlags(flags ?? {}).map((flag) => `flag ${flag}`),
  ]
  return `${printMatch(match)} -> ${effects.join('; ')}`
}

/** The draft of a signed rule: its first stage is where its times begin. */
export function draftOf({ stages, pin, hold, ...rest }: Rule): RuleDraft {
  return {
    ...rest,
    ...(stages === undefined ? {} : { stages: offsetsOf(stages) }),
    ...(pin === undefined ? {} : { pin: pin.version }),
    ...(hold === true ? { hold } : {}),
  }
}

function offsetsOf(stages: readonly Stage[]): StageOffset[] {
  const times = stages.map(({ at }) => parseDate(at) ?? 0)
  const firstMs = Math.min(...times)
  return stages.map(({ percent }, index) => ({ afterMs: (times[index] ?? 0) - firstMs, percent }))
}

function parseMatch(text: string, path: string): RuleMatch {
  const match: { -readonly [K in keyof RuleMatch]: RuleMatch[K] } = {}
  const parts = splitUnquoted(text, '&')
  for (const part of parts) {
    if (part === 'all' && parts.length === 1) return {}
    const colon = part.indexOf(':')
    const [kind, values] = colon < 0 ? [part, ''] : [part.slice(0, colon).trim(), part.slice(colon + 1)]
    switch (kind) {
      case 'label':
        match.labels = { ...match.labels, ...parseLabel(values, match.labels, path) }
        break
      case 'id':
        match.ids = once(match.ids, valuesOf(values, path), kind, path)
        break
      case 'platform':
        match.platforms = once(match.platforms, valuesOf(values, path), kind, path)
        break
      case 'version':
        match.versions = once(match.versions, valuesOf(values, path), kind, path)
        break
      default:
        throw unknownWord(path, kind, 'a condition: all alone, or label:, id:, platform:, version:', CONDITIONS)
    }
  }
  // What the format allows is said in one place.
  return asRule({ match, hold: true }, path).match
}

function parseLabel(text: string, before: RuleMatch['labels'], path: string): Record<string, string[]> {
  const [name = '', values, ...more] = splitUnquoted(text, '=')
  if (values === undefined || more.length > 0)
    throw new shape.ShapeMismatch(path, 'a label such as label:ring=canary|beta', JSON.stringify(`label:${text}`))
  if (before !== undefined && Object.hasOwn(before, name))
    throw new shape.ShapeMismatch(path, 'each label once, its values divided by |', `label:${name}`)
  return { [name]: valuesOf(values, path) }
}

function valuesOf(text: string, path: string): string[] {
  return splitUnquoted(text, '|').map((value) => {
    if (value === '') throw new shape.ShapeMismatch(path, 'a value, or several divided by |', JSON.stringify(text))
    return unquote(value, path)
  })
}

function once<T>(before: T | undefined, value: T, kind: string, path: string): T {
  if (before === undefined) return value
  throw new shape.ShapeMismatch(path, 'each kind of condition once, its values divided by |', `${kind}:`)
}

function addEffect(draft: Draft, text: string, path: string): void {
  const [word = '', rest = ''] = text.split(/\s+(.*)/s, 2)
  if (/^\d/.test(text)) {
    assertOnlyMove(draft, text, path)
    draft.stages = parseShare(text, path)
    return
  }
  switch (word) {
    case 'hold':
      assertOnlyMove(draft, text, path)
      if (rest !== '') throw new shape.ShapeMismatch(path, 'hold with nothing behind it', JSON.stringify(text))
      draft.hold = true
      return
    case 'pin':
      assertOnlyMove(draft, text, path)
      if (!isVersion(rest)) throw new shape.ShapeMismatch(path, 'a pin such as pin 1.3.0', JSON.stringify(text))
      draft.pin = rest
      return
    case 'window':
      if (draft.windows !== undefined)
        throw new shape.ShapeMismatch(path, 'one window effect, its windows divided by |', JSON.stringify(text))
      draft.windows = parseWindows(rest, path)
      return
    case 'flag': {
      const flags = parseFlags([rest], path)
      const twice = Object.keys(flags).find((name) => Object.hasOwn(draft.flags ?? {}, name))
      if (twice !== undefined) throw new shape.ShapeMismatch(path, 'each flag once', twice)
      draft.flags = { ...draft.flags, ...flags }
      return
    }
    default:
      throw unknownWord(path, text, 'an effect: 100%, 0h:5%,24h:50%, pin, hold, window or flag', EFFECTS, word)
  }
}

function parseShare(text: string, path: string): StageOffset[] {
  const [, percent] = /^(\d{1,3})%$/.exec(text) ?? []
  const stages = percent === undefined ? parseStages(text) : parseStages(`0s:${percent}%`)
  if (stages === undefined)
    throw new shape.ShapeMismatch(path, 'a share such as 100%, or stages such as 0h:5%,24h:50%', JSON.stringify(text))
  return stages
}

function assertOnlyMove({ stages, pin, hold }: RuleDraft, text: string, path: string): void {
  if (stages === undefined && pin === undefined && hold === undefined) return
  throw new shape.ShapeMismatch(path, 'only one of a share, pin and hold', JSON.stringify(text))
}

function asRule(rule: Rule, path: string): Rule {
  try {
    return rulesShape.check([rule], path)[0] ?? rule
  } catch (error) {
    if (!(error instanceof shape.ShapeMismatch)) throw error
    // The place inside the list of one says nothing to who wrote the text.
    const place = error.path.replace(`${path}[0].match`, '').replace(/^\./, '')
    throw new shape.ShapeMismatch(path, error.expected, `${error.got} in ${place}`, error.nearest)
  }
}

function unknownWord(
  path: string,
  text: string,
  expected: string,
  known: readonly string[],
  word = text,
): shape.ShapeMismatch {
  return new shape.ShapeMismatch(path, expected, JSON.stringify(text), nearestName(word, known))
}

function printMatch({ labels = {}, ids, platforms, versions }: RuleMatch): string {
  const conditions = [
    ...Object.entries(labels).map(([name, values]) => `label:${name}=${values.map(quote).join('|')}`),
    ...(ids === undefined ? [] : [`id:${ids.map(quote).join('|')}`]),
    ...(platforms === undefined ? [] : [`platform:${platforms.join('|')}`]),
    ...(versions === undefined ? [] : [`version:${versions.join('|')}`]),
  ]
  return conditions.length === 0 ? 'all' : conditions.join(' & ')
}
