// Writes test/vectors/ from the cases of test/vector-cases/: `npx tsx scripts/make-vectors.ts`. The same cases always give
// the same bytes, and test/vectors.test.ts fails while the folder holds anything else.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'

import { vectorFiles } from '../test/vector-cases/all-cases.ts'
import { beaconVectorFiles } from '../test/vector-cases/beacon-vectors.ts'
import { rolloutVectorFiles } from '../test/vector-cases/rollout-vectors.ts'

writeFolder('test/vectors/', vectorFiles())
writeFolder('test/vectors/rollouts/', rolloutVectorFiles())
writeFolder('test/vectors/beacons/', beaconVectorFiles())

/** What else lies in the folder goes, but for folders. */
function writeFolder(path: string, files: ReadonlyMap<string, string>): void {
  const folder = new URL(`../${path}`, import.meta.url)
  mkdirSync(folder, { recursive: true })
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isFile() && !files.has(entry.name)) rmSync(new URL(encodeURIComponent(entry.name), folder))
  for (const [name, text] of files) writeFileSync(new URL(name, folder), text)
  console.log(`wrote ${files.size} files to ${path}`)
}
