// Prints the JSON Schemas of the two configuration files from the shapes that check them, so that editors and Moult
// agree. Run it after a change of release/config.ts or agent/settings/settings.ts; test/schemas.test.ts fails until then.

import { writeFileSync } from 'node:fs'

import { settingsJsonSchema } from '../agent/settings/settings-schema.ts'
import { configJsonSchema } from '../release/config-schema.ts'

for (const [name, schema] of [
  ['moult.config.schema.json', configJsonSchema()],
  ['agent.schema.json', settingsJsonSchema()],
] as const) {
  const target = new URL(`../schemas/${name}`, import.meta.url)
  writeFileSync(target, `${JSON.stringify(schema, null, 2)}\n`)
  console.log(`wrote schemas/${name}`)
}
