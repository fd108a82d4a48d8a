import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { makeDir, publish, startHost } from '../agent/field.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import { startDouble } from '../kubernetes/api-server-double.ts'
import { configMap, imagesOf, workloadObject } from '../kubernetes/test-cluster.ts'
import { runMoult } from './moult-process.ts'

const IMAGE = `registry.example.com/agent:1.1.0@sha256:${'1b'.repeat(32)}`
const SYNC = ['k8s', 'sync', '--workload', 'deployment/web', '--json']

test('`moult k8s sync` sets the image, and does nothing when it is run again', async (t) => {
  const [host, cluster, dir] = [await startHost(t), await startDouble(t), makeDir(t)]
  publish(host, { version: '1.1.0', manifest: { release: { container_image: IMAGE } } })
  writeFileSync(join(dir, 'root.json'), JSON.stringify(makeRoot()))
  writeFileSync(join(dir, 'settings.json'), JSON.stringify({ server: host.url }))
  await cluster.put(workloadObject())
  await cluster.put(configMap('kept'))
  const env = { KUBECONFIG: cluster.kubeconfig }
  const options = ['--state', 'kept', '--config', 'settings.json', '--root', 'root.json']

  const planned = await runMoult([...SYNC, ...options, '--plan'], dir, env)
  assert.equal(planned.code, 0, planned.stderr)
  assert.equal((JSON.parse(planned.stdout) as { kind: string }).kind, 'planned')
  const first = await runMoult([...SYNC, ...options], dir, env)
  assert.equal(first.code, 0, first.stderr)
  assert.deepEqual(imagesOf(await cluster.get('Deployment', 'web')), { agent: IMAGE })
  const people = await runMoult(['k8s', 'sync', '--workload', 'deployment/web', ...options], dir, env)
  assert.match(
    people.stdout,
    /^heartbeat-agent 1\.1\.0 on stable, sequence 10\n {2}deployment\/web agent: keeps 1\.1\.0\n$/,
  )

  publish(host, { version: '1.0.0', sequence: 11 })
  const refused = await runMoult([...SYNC, ...options], dir, env)
  assert.equal(refused.code, 24)
  assert.match(refused.stdout, /"action":"refuse","reason":"downgrade"/)
})

test('with a home the state lies on the disk, as that of an agent', async (t) => {
  const [host, cluster, dir] = [await startHost(t), await startDouble(t), makeDir(t)]
  publish(host, { version: '1.1.0', manifest: { release: { container_image: IMAGE } } })
  mkdirSync(join(dir, 'home'))
  writeFileSync(join(dir, 'home/root.json'), JSON.stringify(makeRoot()))
  await cluster.put(workloadObject())
  const env = { KUBECONFIG: cluster.kubeconfig }
  const run = await runMoult([...SYNC, '--home', 'home', '--server', host.url], dir, env)
  assert.equal(run.code, 0, run.stderr)
  assert.ok(existsSync(join(dir, 'home/state.json')))
  assert.deepEqual(imagesOf(await cluster.get('Deployment', 'web')), { agent: IMAGE })
})

for (const [name, options, message] of [
  ['no state', [], /no home directory is given/],
  ['two states', ['--state', 'a', '--home', 'b'], /--state: expected no --home/],
  ['no root for a ConfigMap', ['--state', 'a'], /--state: expected --root/],
  ['a settings file for a home', ['--home', 'b', '--config', 'c'], /--config: expected --state/],
  ['a version that is none', ['--home', 'b', '--running', 'latest'], /--running: expected a version/],
  ['a platform that is none', ['--home', 'b', '--platform', 'linux'], /--platform: expected a platform/],
  ['another kind', ['--home', 'b', '--workload', 'deploymnt/web'], /--workload: expected a name/],
] as const) {
  test(`a usage error: ${name}`, async (t) => {
    const { code, stdout } = await runMoult([...SYNC, ...options], makeDir(t), { MOULT_HOME: '' })
    assert.equal(code, 2, stdout)
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
    assert.equal(error.code, 'ERR_USAGE_INVALID')
    assert.match(error.message, message)
  })
}

test('without the client of Kubernetes the error says what to install', async (t) => {
  const hook = `export async function resolve(name, context, next) {
    if (name === '@kubernetes/client-node') throw new Error('not here')
    return next(name, context)
  }`
  const dir = makeDir(t)
  writeFileSync(join(dir, 'hook.mjs'), hook)
  writeFileSync(
    join(dir, 'register.mjs'),
    `import { register } from 'node:module'\nregister('./hook.mjs', import.meta.url)`,
  )
  const env = { NODE_OPTIONS: `--import=${new URL(`file://${join(dir, 'register.mjs')}`).href}` }
  const { code, stdout } = await runMoult([...SYNC, '--home', 'home'], dir, env)
  assert.equal(code, 2, stdout)
  const { error } = JSON.parse(stdout) as { error: { code: string; hint: string } }
  assert.equal(error.code, 'ERR_CONFIG_MISSING')
  assert.match(error.hint, /npm install @kubernetes\/client-node/)
})
