// The whole life of an agent on Windows, by Node for Windows under Wine: what the double of windows-disk.test.ts cannot
// show, that real calls behave so. Wine is no Windows, so this runs where it is at hand and is skipped elsewhere.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { build } from 'esbuild'

import { formatDate, sha256 } from '../../manifests/index.ts'
import { fetchNodeRuntime } from '../../release/build/node-runtime.ts'
import { makeManifest, makeRoot } from '../fixtures/signed-manifest.ts'
import { type Host, startHost, waitFor } from '../agent/field.ts'

const WINE = ['/usr/lib/wine/wine64', '/usr/bin/wine64'].find((path) => existsSync(path))
const PLATFORM = 'windows-amd64'
const HOUR_MS = 3_600_000
const WAIT_MS = 240_000
/** The name under which Wine has the root of this machine. */
const onWindows = (path: string): string => `Z:${path.replaceAll('/', '\\')}`

type Line = Readonly<Record<string, unknown>> & { readonly kind: string }

/** Node of the package's own choice is too new for the Windows that Wine 8 says it is. */
const NODE_VERSION = '20.20.2'

test(
  'under Wine: updates, confirms, rolls a broken version back, and updates again',
  { timeout: 600_000 },
  async (t) => {
    if (WINE === undefined) return t.skip('Wine is not installed: nothing ran on Windows')
    const stage = makeStage(t)
    const env = {
      PATH: process.env['PATH'],
      HOME: stage,
      WINEPREFIX: join(stage, 'prefix'),
      WINEDEBUG: '-all',
      NODE_SKIP_PLATFORM_CHECK: '1',
    }
    t.after(() => void spawnSync('wineserver', ['-k'], { env }))
    const { path: node } = await fetchNodeRuntime({ platform: PLATFORM, version: NODE_VERSION })
    const bundle = join(stage, 'drive.mjs')
    await build({
      entryPoints: [new URL('drive.ts', import.meta.url).pathname],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)` },
    })
    const ran = join(stage, 'ran.txt')
    const line = `process.env.MOULT_VERSION + ' ' + require('path').basename(process.execPath) + '\\n'`
    const log = `require('fs').appendFileSync(${JSON.stringify(onWindows(ran))}, ${line})`
    writeFileSync(join(stage, 'sensor.cjs'), `${log}; setInterval(() => {}, 1000)\n`)

    const host = await startHost(t)
    const program = readFileSync(node)
    offer(host, '1.0.1', 10, Buffer.concat([program, Buffer.from('1.0.1')]))
    const output = openSync(join(stage, 'output.txt'), 'w')
    const root = JSON.stringify(makeRoot())
    const child = spawn(WINE, [node, onWindows(bundle), onWindows(stage), host.url, root], {
      env,
      stdio: ['ignore', output, output],
    })
    t.after(() => child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    const lines = (): Line[] => readLines(join(stage, 'events.jsonl'))
    const said = (): string => readFileSync(join(stage, 'output.txt'), 'utf8').slice(-2000)
    const event = async (kind: string, version: string): Promise<void> => {
      const isThere = (): boolean => lines().some((each) => each.kind === kind && each['version'] === version)
      await waitFor(() => isThere() || child.exitCode !== null, `${kind} of ${version}`, WAIT_MS)
      assert.ok(isThere(), `no ${kind} of ${version}\n${JSON.stringify(lines())}\n${said()}`)
    }
    await event('confirmed', '1.0.1')
    offer(host, '1.0.2', 11, Buffer.from('MZ, and nothing of a program behind it'))
    await event('rolled-back', '1.0.2')
    offer(host, '1.0.3', 12, Buffer.concat([program, Buffer.from('1.0.3')]))
    await event('confirmed', '1.0.3')
    writeFileSync(join(stage, 'stop'), '')
    await ended
    const warnings = lines().flatMap((each) => (each.kind === 'warning' ? [each['message']] : []))
    t.diagnostic(`warnings: ${JSON.stringify(warnings)}`)
    assert.deepEqual(lines().at(-1), { kind: 'end', status: 0, platform: 'win32' }, said())
    assert.deepEqual(readFileSync(ran, 'utf8').trim().split('\n'), [
      '1.0.0 heartbeat-agent.exe',
      '1.0.1 heartbeat-agent.exe',
      '1.0.1 heartbeat-agent.exe',
      '1.0.3 heartbeat-agent.exe',
    ])
    assert.ok(!readdirSync(join(stage, 'home', 'versions')).includes('1.0.2'), 'what failed is gone')
    assert.deepEqual(readdirSync(join(stage, 'home', 'staging')), [])
    assert.ok(readdirSync(join(stage, 'home')).every((name) => !name.endsWith('.old') && !name.endsWith('.new')))
  },
)

function makeStage(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'moult-wine-'))
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  return path
}

function offer(host: Host, version: string, sequence: number, artifact: Buffer): void {
  host.serve(`${version}.exe`, artifact)
  const binary = { url: `${version}.exe`, sha256: sha256(artifact), size: artifact.length }
  const now = Date.now()
  const { bytes } = makeManifest({
    release: { version, binaries: { [PLATFORM]: binary } },
    rollout: {
      sequence,
      issued: formatDate(now - HOUR_MS),
      expires: formatDate(now + 48 * HOUR_MS),
      stages: [{ at: formatDate(now - HOUR_MS), percent: 100 }],
    },
  })
  host.serve('version.json', Buffer.from(bytes))
}

/** The last line may still be in the making. */
function readLines(path: string): Line[] {
  if (!existsSync(path)) return []
  const text = readFileSync(path, 'utf8')
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line)
}
