// Writes test/vectors/ from the cases of test/vector-cases/: `npx tsx scripts/make-vectors.ts`. The same cases always give
// the same bytes, and test/vectors.test.ts fails while the folder holds anything else.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

import { vectorFiles } from '../test/vector-cases/all-cases.ts'

const folder = new URL('../test/vectors/', import.meta.url)
const files = vectorFiles()
mkdirSync(folder, { recursive: true })
for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(new URL(encodeURIComponent(name), folder))
for (const [name, text] of files) writeFileSync(new URL(name, folder), text)
console.log(`wrote ${files.size} vectors to test/vectors`)
