import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { digestOfFile } from '../../../release/durable-files.ts'
import { temporaryFolder } from '../project-fixture.ts'
import { startGitHub } from './github-double.ts'
import { ENV } from './github-place.ts'

const FILE_MB = 200
/** Node and the loader of TypeScript have about 140. A copy of the file, which fetch makes by default, has 200 more. */
const MEMORY_MAX_MB = 260

test(`an artifact of ${FILE_MB} MB is uploaded without being kept in memory`, async (t) => {
  const github = await startGitHub(t)
  const file = join(await temporaryFolder(t), 'large')
  await writeFile(file, 'the rest is a hole')
  await truncate(file, FILE_MB * 1024 * 1024)
  const digest = await digestOfFile(file)
  const publish = { github: { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN' } }
  const program = `
    import { openPublisher } from ${JSON.stringify(new URL('../../../release/index.ts', import.meta.url).href)}
    const publisher = await openPublisher(${JSON.stringify({ publish })}, '.', { env: ${JSON.stringify(ENV)} })
    await publisher.putArtifact('bin/1.0.0/large', ${JSON.stringify({ ...digest, source: { file } })})
    console.log(process.resourceUsage().maxRSS / 1024)`
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(child, 'close')
  const usedMb = Number(output)
  t.diagnostic(`${Math.round(usedMb)} MB at most`)
  assert.ok(usedMb > 0 && usedMb < MEMORY_MAX_MB, output)
})
