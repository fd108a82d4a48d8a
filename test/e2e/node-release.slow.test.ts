import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { platformOf } from '../../manifests/platform.ts'
import { inspectExecutable } from '../../release/build/inspect-executable.ts'
import { fetchNodeRuntime } from '../../release/build/node-runtime.ts'
import { freePort, jsonOf, readJson, REPOSITORY, Scene, type Started, until } from '../helpers/moult.ts'

// Fetches Node for two platforms (100 MB) into the ordinary cache, and needs 1.5 GB in the temporary directory.

const PLATFORMS = ['linux-amd64', 'linux-arm64']
const HOST = platformOf(process.platform, process.arch)
const QEMU = '/usr/bin/qemu-aarch64-static'
const SYSROOT = '/usr/aarch64-linux-gnu'

interface Released {
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

describe('a release of the build type node for two platforms', { timeout: 900_000 }, () => {
  let scene: Scene
  let project = ''
  let home = ''
  let evil = ''
  let marker = ''
  let port = 0
  let agent: Started
  before(async () => {
    scene = new Scene('node release')
    project = scene.folder('heartbeat project')
    home = scene.path('agent home')
    marker = scene.path('evil-ran')
    evil = scene.write('evil.cjs', `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')\n`)
    port = await freePort()
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(REPOSITORY, join(project, 'node_modules', 'moult'), 'dir')
    for (const name of ['agent.ts', 'outbox.ts']) {
      copyFileSync(join(REPOSITORY, 'examples', 'heartbeat-agent', name), join(project, name))
    }
    await scene.moultOk(['init', '--name', 'heartbeat-agent', '--type', 'node', '--agent', 'agent.ts'], {
      cwd: project,
    })
    setPlatforms(PLATFORMS)
  })
  after(() => scene.close())

  const setPlatforms = (platforms: readonly string[]): void => {
    const config = readJson(join(project, 'moult.config.json'))
    scene.write('heartbeat project/moult.config.json', JSON.stringify({ ...config, platforms, compress: 'fast' }))
  }
  const artifact = (platform: string): string => join(project, 'updates', 'bin', '1.0.0', `heartbeat-agent-${platform}`)
  /** What is published is data: only a copy can be run. */
  const program = (platform: string): string => {
    const path = join(scene.folder('programs'), platform)
    copyFileSync(artifact(platform), path)
    chmodSync(path, 0o755)
    return path
  }
  const toolsFolder = (): string => {
    const folder = scene.folder('tools')
    for (const name of ['sh', 'cat', 'chmod', 'mv', 'rm', 'sleep', 'sync'])
      symlinkSync(`/bin/${name}`, join(folder, name))
    return folder
  }
  const health = async (): Promise<{ version: string; heartbeats: number } | undefined> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    return (await answer?.json().catch(() => undefined)) as { version: string; heartbeats: number } | undefined
  }

  test('is built, compressed, signed and published', async (t) => {
    // Filling the cache takes as long as the network does.
    for (const platform of PLATFORMS) await fetchNodeRuntime({ platform })
    const startedMs = Date.now()
    const { files } = jsonOf<Released>(await scene.moultOk(['release', '1.0.0', '--json'], { cwd: project }))
    const tookMs = Date.now() - startedMs
    t.diagnostic(`released in ${tookMs} ms`)
    for (const { path, size } of files) t.diagnostic(`${path}: ${size} bytes`)
    for (const platform of PLATFORMS) {
      const whole = statSync(artifact(platform)).size
      const compressed = statSync(`${artifact(platform)}.br`).size
      assert.ok(compressed < whole * 0.5, `${platform}: ${compressed} of ${whole} bytes`)
    }
  })

  test('holds a program for each platform', async () => {
    const formats = { linux: 'elf', darwin: 'mach-o', windows: 'pe' } as const
    for (const platform of PLATFORMS) {
      const { os, arch, format } = await inspectExecutable(artifact(platform))
      assert.equal(`${os}-${arch}`, platform)
      assert.equal(format, formats[os as keyof typeof formats])
    }
  })

  test('the program for arm64 tells its version, under qemu', async (t) => {
    if (!existsSync(QEMU) || !existsSync(SYSROOT)) return t.skip(`${QEMU} or ${SYSROOT} is absent`)
    const { code, stdout, stderr } = await scene.run(QEMU, ['-L', SYSROOT, program('linux-arm64'), '--version'])
    assert.deepEqual([code, stdout], [0, '1.0.0\n'], stderr)
  })

  test('NODE_OPTIONS cannot reach inside, though it reaches into plain Node', async (t) => {
    if (HOST !== 'linux-amd64') return t.skip(`this machine is ${HOST}`)
    const env = { NODE_OPTIONS: `--require ${JSON.stringify(evil)}` }
    const { code, stdout, stderr } = await scene.run(program('linux-amd64'), ['--version'], { env })
    assert.deepEqual([code, stdout, stderr], [0, '1.0.0\n', ''])
    assert.equal(existsSync(marker), false)
    await scene.run(process.execPath, ['-e', '0'], { env })
    assert.equal(existsSync(marker), true)
  })

  test('is installed, runs under the launcher, and updates itself to the next release', async (t) => {
    if (HOST !== 'linux-amd64') return t.skip(`this machine is ${HOST}`)
    const { url } = await scene.serve(project)
    const place = ['--home', home, '--server', url, '--root', join(project, 'trust', '1.root.json')]
    await scene.moultOk(['agent', 'install', ...place, '--interval', '1s', '--probation', '3s'])
    agent = scene.supervise(home, {
      HEARTBEAT_PORT: String(port),
      HEARTBEAT_INTERVAL_MS: '250',
      // The machine of the agent needs no Node, only what the launcher uses.
      PATH: toolsFolder(),
    })
    await until('1.0.0 to be healthy', async () => (await health())?.version === '1.0.0')

    // The other platforms would only take time.
    setPlatforms(['linux-amd64'])
    await scene.moultOk(['release', '1.0.1'], { cwd: project })
    await agent.line(/^Update found: 1\.0\.1\. Synchronizing from 1\.0\.0/, 60_000)
    await agent.line(/^heartbeat-agent 1\.0\.1 starts at heartbeat \d+$/, 60_000)
    await agent.line(/^Confirmed: 1\.0\.1$/, 60_000)
    assert.equal((await health())?.version, '1.0.1')
    assert.deepEqual((await scene.status(home)).record, { version: '1.0.1', previous: '1.0.0' })

    const numbers = readFileSync(join(home, 'outbox.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { number: number }).number)
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index + 1),
    )
  })
})
