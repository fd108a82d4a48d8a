import type { JsonObject, JsonValue } from '../../manifests/index.ts'
import { malleate } from '../vector-cases/edwards.ts'
import { CORPUS, GENUINE_ROOTS, ROGUE_ROOTS } from './corpus.ts'
import type { Random } from './random.ts'
import type { RandomDocuments } from './random-documents.ts'

/** A place in a document: a member of an object or an element of an array. */
interface Place {
  readonly parent: JsonObject | JsonValue[]
  readonly name: string
}

const VALUES: readonly JsonValue[] = [
  ...[null, true, false, 0, 1, -1, 42, 43, 2 ** 53 - 1, 2 ** 53, '', 'x', '42', 'stable', '1.4.2', '9.9.9', [], {}],
  ...['moult/1', 'moult-rollout/1', 'moult-root/1', '0'.repeat(64), '2099-01-01T00:00:00Z', '2020-01-01T00:00:00Z'],
]
const NAMES = ['signatures', 'rollout', 'trust', 'version', 'later', 'key', 'sig', 'toString', 'min_version', 'paused']

/** A value of its own: one that mutants share would carry the changes of each to the next. */
function anyValue(random: Random): JsonValue {
  return structuredClone(random.pick(VALUES))
}

/** One change of the document, or two, written in some form. */
export function mutateStructure(random: RandomDocuments, document: JsonObject): string {
  const copy = structuredClone(random.once(8) ? mixStatements(random) : document)
  for (let times = random.below(4) >> 1; times >= 0; times -= 1) {
    if (times === 0 && random.once(8)) break
    if (random.once(3)) changeUnsigned(random, copy)
    else changePlace(random, copy)
  }
  const form = random.below(4)
  if (form === 0) return random.write(copy)
  return JSON.stringify(copy, null, form === 1 ? 2 : undefined)
}

/** The release of one signed document, the rollout of another, the roots of a third. */
function mixStatements(random: Random): JsonObject {
  const [release, rollout, chain] = [random.pick(CORPUS), random.pick(CORPUS), random.pick(CORPUS)]
  const trust = chain.document['trust']
  return {
    ...release.document,
    rollout: rollout.document['rollout'] ?? null,
    ...(trust === undefined ? {} : { trust }),
  }
}

function changePlace(random: Random, document: JsonObject): void {
  const places = placesOf(document)
  const { parent, name } = random.pick(places)
  const other = random.pick(places)
  switch (random.below(7)) {
    case 0:
      remove(parent, name)
      return
    case 1:
      set(parent, name, anyValue(random))
      return
    case 2: {
      const value = get(parent, name)
      set(parent, name, get(other.parent, other.name))
      set(other.parent, other.name, value)
      if (hasNoCycle(document)) return
      // A value that was put inside itself has no text.
      set(parent, name, null)
      set(other.parent, other.name, null)
      return
    }
    case 3:
      set(parent, random.pick(NAMES), structuredClone(get(parent, name)))
      return
    case 4:
      set(parent, random.pick(NAMES), anyValue(random))
      return
    case 5: {
      // What stands at the same place in another signed document.
      const donor = random.pick(CORPUS).document
      const key = random.pick(Object.keys(donor))
      const value = donor[key]
      if (value !== undefined) document[key] = structuredClone(value)
      return
    }
    default:
      if (Array.isArray(parent)) parent.splice(Number(name), 0, structuredClone(get(parent, name)))
      else set(parent, name, [get(parent, name)])
  }
}

/** Signatures and the chain of roots: what a host can change without breaking a signature. */
function changeUnsigned(random: Random, document: JsonObject): void {
  const chain = Array.isArray(document['trust']) ? document['trust'] : []
  const roots = chain.filter((root): root is JsonObject => isObject(root))
  const rollout = isObject(document['rollout']) ? [document['rollout']] : []
  const statement = random.pick([document, ...rollout, ...roots])
  const signatures = Array.isArray(statement['signatures']) ? statement['signatures'] : []
  const donor = random.pick([
    ...CORPUS.flatMap((one) => [one.document, one.document['rollout'] as JsonObject]),
    ...GENUINE_ROOTS,
  ])
  const foreign = random.pick(donor['signatures'] as JsonValue[])
  switch (random.below(10)) {
    case 0:
      statement['signatures'] = [...signatures, structuredClone(foreign)]
      return
    case 1:
      statement['signatures'] = [structuredClone(foreign), ...signatures]
      return
    case 2:
      statement['signatures'] = [...signatures, anyValue(random)]
      return
    case 3:
      statement['signatures'] = signatures.map((entry) => changeSignature(random, entry))
      return
    case 4:
      statement['signatures'] = signatures.map((entry) =>
        isObject(entry) && isObject(foreign) ? { ...entry, key: foreign['key'] ?? '' } : entry,
      )
      return
    case 5:
      delete statement['signatures']
      return
    case 6:
      document['trust'] = chain.toSpliced(
        random.below(chain.length + 1),
        0,
        structuredClone(random.pick(random.once(2) ? GENUINE_ROOTS : ROGUE_ROOTS)),
      )
      return
    case 7:
      document['trust'] = chain.toSpliced(random.below(chain.length + 1), 1)
      return
    case 8:
      document['trust'] = chain.toReversed()
      return
    default:
      document['trust'] = [...chain, anyValue(random)]
  }
}

function changeSignature(random: Random, entry: JsonValue): JsonValue {
  if (!isObject(entry) || typeof entry['sig'] !== 'string') return entry
  const bytes = new Uint8Array(Buffer.from(entry['sig'], 'base64'))
  const at = random.below(64)
  const encode = (changed: Uint8Array): JsonValue => ({ ...entry, sig: Buffer.from(changed).toString('base64') })
  if (bytes.length !== 64) return entry
  if (random.once(3)) return encode(malleate(bytes))
  if (random.once(2)) return { ...entry, sig: random.pick([`${entry['sig']} `, entry['sig'].replaceAll('=', '')]) }
  return encode(bytes.map((byte, index) => (index === at ? byte ^ (1 << random.below(8)) : byte)))
}

function placesOf(value: JsonValue, places: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return places
  for (const name of Object.keys(value)) {
    places.push({ parent: value, name })
    placesOf(get(value, name), places)
  }
  return places
}

function get(parent: JsonObject | JsonValue[], name: string): JsonValue {
  return (Array.isArray(parent) ? parent[Number(name)] : parent[name]) ?? null
}

function set(parent: JsonObject | JsonValue[], name: string, value: JsonValue): void {
  if (!Array.isArray(parent)) parent[name] = value
  else if (Number.isInteger(Number(name))) parent[Number(name)] = value
  else parent.push(value)
}

function remove(parent: JsonObject | JsonValue[], name: string): void {
  if (Array.isArray(parent)) parent.splice(Number(name), 1)
  else delete parent[name]
}

function hasNoCycle(value: JsonValue): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
