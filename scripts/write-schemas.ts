// Prints the JSON Schema of the configuration from the shape that checks it, so that editors and Moult agree. Run it
// after a change of release/config.ts; test/release/config.test.ts fails until then.

import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../release/config-schema.ts'

const target = new URL('../schemas/moult.config.schema.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
console.log(`wrote ${target.pathname}`)
