import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { startServer } from '../../local-server/index.ts'
import type { Root } from '../../manifests/index.ts'
import { readRoots, verifyPublished } from '../../release/index.ts'
import { failsWith, type Fixture, makeProject } from './project-fixture.ts'

async function published(t: TestContext, baseUrl?: string): Promise<Fixture & { root: Root }> {
  const project = await makeProject(t)
  await project.writeAgents('echo hello\n'.repeat(100))
  await project.release('1.0.0', { baseUrl })
  return { ...project, root: (await readRoots(join(project.dir, 'trust/1.root.json'), 'probe'))[0] }
}

async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('everything is fetched and checked, through HTTP and from the folder', async (t) => {
  const { updates, root } = await published(t)
  const server = await startServer({ dir: updates, port: 0 })
  t.after(() => server.close(0))
  for (const place of [updates, server.url, `${server.url}/`, `${server.url}/version.json`]) {
    const result = await verifyPublished({ place, root })
    assert.deepEqual(
      result.files.map(({ platform, attachment, encoding }) => `${platform ?? attachment} ${encoding ?? 'whole'}`),
      [
        'linux-amd64 whole',
        'linux-amd64 br',
        'darwin-arm64 whole',
        'darwin-arm64 br',
        'sbom whole',
        'provenance whole',
      ],
    )
  }
})

const artifact = 'updates/bin/1.0.0/probe-darwin-arm64'
const FAULTS: readonly (readonly [string, string, (project: Fixture) => Promise<unknown>])[] = [
  ['a missing artifact', 'ERR_NETWORK_STATUS', ({ dir }) => rm(join(dir, artifact))],
  ['a truncated artifact', 'ERR_BYTES_SIZE', ({ dir }) => truncate(join(dir, artifact), 10)],
  ['a longer artifact', 'ERR_BYTES_SIZE', ({ dir }) => appendFile(join(dir, artifact), 'x')],
  [
    'a changed byte',
    'ERR_BYTES_HASH',
    async ({ dir, read }) => writeFile(join(dir, artifact), (await read(artifact)).replace('hello', 'jello')),
  ],
  [
    'a damaged compressed artifact',
    'ERR_BYTES_ENCODING',
    ({ dir }) => writeFile(join(dir, `${artifact}.br`), 'x'.repeat(20)),
  ],
  ['a missing manifest', 'ERR_CONFIG_MISSING', ({ updates }) => rm(join(updates, 'version.json'))],
  [
    'a changed manifest',
    'ERR_TRUST_SIGNATURE',
    async ({ updates, read }) =>
      writeFile(join(updates, 'version.json'), (await read('updates/version.json')).replace('"size": 1', '"size": 2')),
  ],
  ['a missing release document', 'ERR_NETWORK_STATUS', ({ updates }) => rm(join(updates, 'releases/1.0.0.json'))],
  [
    'another release document',
    'ERR_TRUST_BINDING',
    ({ updates }) => writeFile(join(updates, 'releases/1.0.0.json'), '{}'),
  ],
  ['another root', 'ERR_TRUST_ROOT', ({ updates }) => writeFile(join(updates, 'trust/1.root.json'), '{}')],
]
for (const [name, code, spoil] of FAULTS) {
  test(`found: ${name}`, async (t) => {
    const project = await published(t)
    await spoil(project)
    await assert.rejects(verifyPublished({ place: project.updates, root: project.root }), failsWith(code))
  })
}

test('absolute URLs of a folder that is not served yet are looked up in it', async (t) => {
  const baseUrl = 'http://127.0.0.1:9/agent'
  const { updates, root } = await published(t, baseUrl)
  await verifyPublished({ place: updates, root, baseUrl })
  await assert.rejects(verifyPublished({ place: updates, root }), failsWith('ERR_NETWORK_UNREACHABLE'))
})

test('another root than the pinned one, and an expired rollout, are refused', async (t) => {
  const { updates, root } = await published(t)
  const other = await published(t)
  await assert.rejects(verifyPublished({ place: updates, root: other.root }), failsWith('ERR_TRUST_SIGNATURE'))
  const now = (): number => Date.now() + 91 * 24 * 3_600_000
  await assert.rejects(verifyPublished({ place: updates, root }, { now }), failsWith('ERR_TRUST_EXPIRED'))
})

test('redirects are followed, but not to other protocols and not for ever', async (t) => {
  const { updates, root } = await published(t)
  const server = await startServer({ dir: updates, port: 0 })
  t.after(() => server.close(0))
  const redirect = (to: (path: string) => string) =>
    listen(t, (request, response) => response.writeHead(302, { location: to(request.url ?? '') }).end())
  await verifyPublished({ place: await redirect((path) => `${server.url}${path}`), root })
  for (const place of [await redirect((path) => path), await redirect(() => 'file:///etc/passwd')]) {
    await assert.rejects(verifyPublished({ place, root }), failsWith('ERR_NETWORK_REDIRECT'))
  }
})

test('a manifest without end is given up at its limit', async (t) => {
  const { root } = await published(t)
  const place = await listen(t, (_, response) => {
    const timer = setInterval(() => response.write(Buffer.alloc(100_000, 32)), 1)
    response.once('close', () => clearInterval(timer))
  })
  await assert.rejects(verifyPublished({ place, root }), failsWith('ERR_MANIFEST_TOO_LARGE'))
})

test('a body that ends before its length is a network error, not a success', async (t) => {
  const { updates, root } = await published(t)
  const bytes = await readFile(join(updates, 'version.json'))
  const place = await listen(t, (_, response) => {
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 100), () => response.destroy())
  })
  await assert.rejects(verifyPublished({ place, root }), failsWith('ERR_NETWORK_UNREACHABLE'))
})
