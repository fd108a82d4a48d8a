// Stands for an API server where none can be had. What it answers is of the published description, whatever it is asked
// for MUST be; sync.slow.test.ts runs the same suite against a real one.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { makeDir } from '../agent/field.ts'
import { operationOf, schemaFaults } from './openapi.ts'
import { type KubeObject, kubeconfigText, pathOf, type TestCluster } from './test-cluster.ts'

const TOKEN = 'token-of-the-double'

interface Operations {
  readonly op: 'test' | 'add' | 'replace'
  readonly path: string
  readonly value: unknown
}

export async function startDouble(t: TestContext): Promise<TestCluster> {
  const objects = new Map<string, KubeObject>()
  const faults: string[] = []
  const requests: string[] = []
  let version = 100

  const store = (path: string, object: KubeObject): KubeObject => {
    version += 1
    const metadata = { uid: `uid-${version}`, generation: 1, ...object.metadata, resourceVersion: String(version) }
    const stored = { ...object, metadata }
    objects.set(path, stored)
    return stored
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      faults.push(String(error))
      response.destroy()
    })
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://double.invalid')
    const method = request.method ?? ''
    const operation = operationOf(method, url.pathname)
    requests.push(`${method} ${url.pathname}`)
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const refuse = (code: number, reason: string): void => send(code, statusOf(code, reason))
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(401, 'Unauthorized')
    if (operation === undefined) faults.push(`no such operation: ${method} ${url.pathname}`)
    for (const name of url.searchParams.keys())
      if (operation?.query.includes(name) !== true) faults.push(`no such parameter: ${name}`)
    const found = objects.get(url.pathname)
    if (found === undefined) return refuse(404, `${url.pathname.split('/').at(-1)} not found`)
    let result = found
    if (method === 'PATCH') {
      const type = request.headers['content-type'] ?? ''
      if (operation?.consumes.includes(type) !== true) faults.push(`not a type of a patch: ${type}`)
      const patch = JSON.parse(await textOf(request)) as unknown
      const patched =
        type === 'application/json-patch+json' ? applyPatch(found, patch as Operations[]) : merge(found, patch)
      if (patched === undefined) return refuse(422, 'the server rejected our request due to an error in our request')
      const asked = (patched as KubeObject).metadata.resourceVersion
      if (asked !== found.metadata.resourceVersion) return refuse(409, 'the object has been modified')
      result = store(url.pathname, patched as KubeObject)
    }
    if (operation !== undefined) faults.push(...schemaFaults(result, operation.schema, url.pathname))
    send(200, result)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
    assert.deepEqual(faults, [], 'not of the published API')
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const namespace = 'fleet'
  const kubeconfig = join(makeDir(t), 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigText(url, TOKEN, namespace))
  return {
    kubeconfig,
    namespace,
    token: TOKEN,
    put: async (object) => void store(pathOf(object, namespace), object),
    get: async (kind, name) => {
      const found = objects.get(pathOf({ kind, metadata: { name } }, namespace))
      assert.ok(found !== undefined, `no such object: ${kind} ${name}`)
      return found
    },
    drain: () => requests.splice(0),
  }
}

function statusOf(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
  return text
}

/** RFC 6902, as far as it is used; undefined where a test fails or a place does not exist. */
function applyPatch(object: KubeObject, operations: readonly Operations[]): unknown {
  const copy: unknown = structuredClone(object)
  for (const { op, path, value } of operations) {
    const names = path
      .slice(1)
      .split('/')
      .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = names.pop() ?? ''
    const place = names.reduce((at: unknown, name) => (at as Record<string, unknown> | undefined)?.[name], copy)
    if (typeof place !== 'object' || place === null) return undefined
    const members = place as Record<string, unknown>
    if (op !== 'add' && !Object.hasOwn(members, last)) return undefined
    if (op === 'test' && JSON.stringify(members[last]) !== JSON.stringify(value)) return undefined
    if (op !== 'test') members[last] = value
  }
  return copy
}

/** RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result = { ...(target as Record<string, unknown> | undefined) }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = merge(result[name], value)
  }
  return result
}
