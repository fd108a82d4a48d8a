// What the published schemas of CycloneDX 1.5, in-toto Statement v1 and SLSA provenance v1 demand, as far as our documents
// have such members. Written from those schemas, by hand.

const UUID_URN = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const HASH_CONTENT = /^(?:[a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$/
const COMPONENT_TYPES = new Set(['application', 'framework', 'library', 'container', 'platform', 'file'])
const HASHES = new Set(['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'])

type Json = Record<string, unknown>
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])
const member = (value: unknown, name: string): unknown => (value as Json | undefined)?.[name]

/** Members by name, each with its rule; a member that has none is a fault, as is one that its rule refuses. */
function check(
  at: string,
  value: unknown,
  rules: Readonly<Record<string, (value: unknown) => boolean>>,
  required: readonly string[],
): string[] {
  if (typeof value !== 'object' || value === null) return [`${at}: no object`]
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name}: missing`)
  const wrong = Object.entries(value).flatMap(([name, each]) =>
    rules[name]?.(each) === true ? [] : [`${at}.${name}: wrong`],
  )
  return [...missing, ...wrong]
}

const COMPONENT = {
  type: (value: unknown) => COMPONENT_TYPES.has(String(value)),
  'bom-ref': isText,
  group: isText,
  name: isText,
  version: isText,
  scope: (value: unknown) => ['required', 'optional', 'excluded'].includes(String(value)),
  purl: (value: unknown) => /^pkg:[a-z]+\/.+@.+$/.test(String(value)),
  hashes: (value: unknown) =>
    list(value).every(({ alg, content }) => HASHES.has(String(alg)) && HASH_CONTENT.test(String(content))),
  licenses: (value: unknown) =>
    list(value).every((each) => isText(each['expression']) !== isText(member(each['license'], 'name'))),
  properties: (value: unknown) =>
    list(value).every(({ name, value: text }) => isText(name) && typeof text === 'string'),
}

export function sbomFaults(sbom: unknown): string[] {
  const components = list(member(sbom, 'components'))
  const root = member(member(sbom, 'metadata'), 'component')
  const refs = [root, ...components].map((each) => String(member(each, 'bom-ref')))
  const dependencies = list(member(sbom, 'dependencies'))
  const known = (ref: unknown): boolean => refs.includes(String(ref))
  return [
    ...check(
      'sbom',
      sbom,
      {
        $schema: (value) => value === 'http://cyclonedx.org/schema/bom-1.5.schema.json',
        bomFormat: (value) => value === 'CycloneDX',
        specVersion: (value) => value === '1.5',
        serialNumber: (value) => UUID_URN.test(String(value)),
        version: (value) => Number.isInteger(value) && Number(value) >= 1,
        metadata: (value) => Object.keys(value as Json).every((name) => ['tools', 'component'].includes(name)),
        components: Array.isArray,
        dependencies: Array.isArray,
      },
      ['bomFormat', 'specVersion', 'version'],
    ),
    ...check('metadata.component', root, COMPONENT, ['type', 'name']),
    ...components.flatMap((each, index) => check(`components[${index}]`, each, COMPONENT, ['type', 'name'])),
    ...(new Set(refs).size === refs.length ? [] : ['a bom-ref twice']),
    ...dependencies.flatMap((each, index) =>
      check(
        `dependencies[${index}]`,
        each,
        {
          ref: known,
          dependsOn: (value) => list(value).every(known) && new Set(list(value)).size === list(value).length,
        },
        ['ref'],
      ),
    ),
    ...(new Set(dependencies.map(({ ref }) => ref)).size === dependencies.length ? [] : ['a ref twice']),
  ]
}

const isDigest = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).length > 0 &&
  Object.values(value).every((hex) => /^[0-9a-f]{40,128}$/.test(String(hex)))

const DESCRIPTOR = {
  name: isText,
  uri: (value: unknown) => URL.canParse(String(value)),
  digest: isDigest,
  annotations: (value: unknown) => typeof value === 'object' && value !== null,
}

export function statementFaults(statement: unknown): string[] {
  const predicate = member(statement, 'predicate')
  const definition = member(predicate, 'buildDefinition')
  const run = member(predicate, 'runDetails')
  return [
    ...check(
      'statement',
      statement,
      {
        _type: (value) => value === 'https://in-toto.io/Statement/v1',
        subject: (value) => list(value).length > 0,
        predicateType: (value) => value === 'https://slsa.dev/provenance/v1',
        predicate: (value) => typeof value === 'object',
      },
      ['_type', 'subject', 'predicateType'],
    ),
    ...list(member(statement, 'subject')).flatMap((each, index) =>
      check(`subject[${index}]`, each, DESCRIPTOR, ['digest']),
    ),
    ...check(
      'buildDefinition',
      definition,
      {
        buildType: (value) => URL.canParse(String(value)),
        externalParameters: (value) => typeof value === 'object',
        resolvedDependencies: Array.isArray,
      },
      ['buildType', 'externalParameters'],
    ),
    ...list(member(definition, 'resolvedDependencies')).flatMap((each, index) =>
      check(`resolvedDependencies[${index}]`, each, DESCRIPTOR, ['digest']),
    ),
    ...check(
      'runDetails',
      run,
      {
        builder: (value) => URL.canParse(String(member(value, 'id'))),
        metadata: (value) => isText(member(value, 'invocationId')),
      },
      ['builder'],
    ),
  ]
}
