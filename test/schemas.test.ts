import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'

import { settingsJsonSchema } from '../agent/settings/settings-schema.ts'
import { configJsonSchema } from '../release/config-schema.ts'

for (const [name, schema] of [
  ['moult.config.schema.json', configJsonSchema()],
  ['agent.schema.json', settingsJsonSchema()],
] as const) {
  test(`schemas/${name} is what the code checks (else: npx tsx scripts/write-schemas.ts)`, () => {
    const published: unknown = JSON.parse(readFileSync(new URL(`../schemas/${name}`, import.meta.url), 'utf8'))
    assert.deepEqual(published, JSON.parse(JSON.stringify(schema)))
  })
}
