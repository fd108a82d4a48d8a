// Holds requests and objects to the OpenAPI description that a Kubernetes API server publishes of itself
// (`/openapi/v2`), of which test/fixtures/kubernetes-openapi.json is the part that is used here.

import { readFileSync } from 'node:fs'

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly required?: readonly string[]
}

interface Operation {
  readonly consumes: readonly string[]
  readonly produces: readonly string[]
  readonly query: readonly string[]
  readonly schema: Schema
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly definitions: Readonly<Record<string, Schema>>
}

const DESCRIPTION = JSON.parse(
  readFileSync(new URL('../fixtures/kubernetes-openapi.json', import.meta.url), 'utf8'),
) as Description

/** The operation of a request; undefined where the API has none. */
export function operationOf(method: string, path: string): Operation | undefined {
  const template = Object.keys(DESCRIPTION.paths).find((each) =>
    new RegExp(`^${each.replaceAll(/\{\w+\}/g, '[a-z0-9.-]+')}$`).test(path),
  )
  return template === undefined ? undefined : DESCRIPTION.paths[template]?.[method.toLowerCase()]
}

/** What is wrong with a value, as `path: reason`; nothing where it is of the schema. */
export function schemaFaults(value: unknown, schema: Schema, at = ''): string[] {
  if (schema.$ref !== undefined) {
    const definition = DESCRIPTION.definitions[schema.$ref.replace('#/definitions/', '')]
    return definition === undefined ? [`${at}: no such schema`] : schemaFaults(value, definition, at)
  }
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' || typeof value === 'number' ? [] : [`${at}: no text`]
    case 'integer':
      return Number.isSafeInteger(value) ? [] : [`${at}: no integer`]
    case 'number':
      return typeof value === 'number' ? [] : [`${at}: no number`]
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${at}: not true or false`]
    case 'array':
      if (!Array.isArray(value)) return [`${at}: no list`]
      return value.flatMap((item, index) => schemaFaults(item, schema.items ?? {}, `${at}/${index}`))
    default:
      return memberFaults(value, schema, at)
  }
}

function memberFaults(
  value: unknown,
  { properties, additionalProperties, required = [] }: Schema,
  at: string,
): string[] {
  if (properties === undefined && additionalProperties === undefined) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at}: no object`]
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}/${name}: missing`)
  const wrong = Object.entries(value).flatMap(([name, member]) => {
    const schema = properties?.[name] ?? additionalProperties
    return schema === undefined ? [`${at}/${name}: unknown`] : schemaFaults(member, schema, `${at}/${name}`)
  })
  return [...missing, ...wrong]
}
