import type { shape } from '../manifests/index.ts'
import { configShape } from './config.ts'

/** What schemas/moult.config.schema.json holds. */
export function configJsonSchema(): shape.JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'moult.config.json',
    description: 'Configuration of a project that releases with Moult.',
    ...configShape.schema,
  }
}
