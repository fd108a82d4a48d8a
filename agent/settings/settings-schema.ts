import type { shape } from '../../manifests/index.ts'
import { settingsShape } from './settings-file.ts'

/** What schemas/agent.schema.json holds. */
export function settingsJsonSchema(): shape.JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'agent.json',
    description: 'Settings of the updater on a machine, in the home directory of an agent.',
    ...settingsShape.schema,
  }
}
