// The adapter of GitHub against a double of its API and of its downloads.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'

import { startGitHub } from './github-double.ts'
import { openDouble } from './github-place.ts'
import { testPublisherContract } from './publisher-contract.ts'

describe('releases of a repository keep the contract of publishers', () => {
  testPublisherContract(async (t) => openDouble(await startGitHub(t)))
})

test('without the package of the client the message says how to get it, in a process of its own', async () => {
  const library = new URL('../../../release/index.ts', import.meta.url).href
  const program = `
    import { register } from 'node:module'
    const hook = 'export const resolve = (name, context, next) => { if (name.startsWith("@octokit/")) throw Object.assign(new Error(name), { code: "ERR_MODULE_NOT_FOUND" }); return next(name, context) }'
    register('data:text/javascript,' + encodeURIComponent(hook))
    const { openPublisher } = await import(${JSON.stringify(library)})
    const publisher = await openPublisher({ publish: { github: { repository: 'acme/agent' } } }, '.', { env: {} })
    try { await publisher.read('version.json', 10) } catch (error) { console.log(JSON.stringify(error)) }`
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(child, 'close')
  const error = JSON.parse(output) as { code: string; hint: string }
  assert.deepEqual([error.code, error.hint], ['ERR_CONFIG_MISSING', 'Run `npm install @octokit/rest@21`.'])
})
