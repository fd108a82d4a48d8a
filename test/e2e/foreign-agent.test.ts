import assert from 'node:assert/strict'
import { chmodSync, cpSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { platformOf } from '../../manifests/platform.ts'
import { freePort, readJson, REPOSITORY, Scene } from '../helpers/moult.ts'

interface PlainManifest {
  readonly version: string
  readonly binaries: Readonly<Record<string, { readonly url: string; readonly sha256: string }>>
}

describe('an agent with an updater of another make', { timeout: 60_000 }, () => {
  let scene: Scene
  let project = ''
  let port = 0
  before(async () => {
    scene = new Scene('foreign')
    project = scene.folder('its project')
    port = await freePort()
    cpSync(join(REPOSITORY, 'test', 'fixtures', 'foreign-agent.sh'), join(project, 'agent.sh'))
    const config = {
      name: 'foreign-agent',
      platforms: [platformOf(process.platform, process.arch), 'linux-riscv64'],
      build: { type: 'command', shell: true, command: 'sed s/@VERSION@/{version}/ agent.sh > {out}' },
    }
    await scene.moultOk(['init', '--name', 'foreign-agent', '--type', 'command'], { cwd: project })
    scene.write('its project/moult.config.json', JSON.stringify(config))
  })
  after(() => scene.close())

  const release = (version: string) =>
    scene.moultOk(['release', version, '--base-url', `http://127.0.0.1:${port}`], { cwd: project })

  test('updates itself from what is published with --base-url, through two releases', async () => {
    await release('1.0.0')
    const manifest = readJson<PlainManifest>(join(project, 'updates', 'version.json'))
    const { url, sha256 } = manifest.binaries[platformOf(process.platform, process.arch)] ?? {}
    assert.equal(manifest.version, '1.0.0')
    assert.match(url ?? '', new RegExp(`^http://127\\.0\\.0\\.1:${port}/bin/1\\.0\\.0/foreign-agent-`))
    assert.match(sha256 ?? '', /^[0-9a-f]{64}$/)

    const server = await scene.serve(project, port)
    const program = scene.path('foreign-agent')
    assert.equal((await scene.run('curl', ['-fsS', '-o', program, url ?? ''])).code, 0)
    chmodSync(program, 0o755)
    const agent = scene.start(program, [server.url])
    await agent.line(/^foreign-agent 1\.0\.0 runs$/)

    await release('1.0.1')
    await agent.line(/^foreign-agent 1\.0\.1 runs$/)
    await release('1.1.0')
    await agent.line(/^foreign-agent 1\.1\.0 runs$/)
    assert.deepEqual(
      agent.lines,
      ['1.0.0', '1.0.1', '1.1.0'].map((version) => `foreign-agent ${version} runs`),
    )
    assert.deepEqual(
      server.process.lines.filter((line) => line.includes('"GET /bin/') && !line.includes('" 200 ')),
      [],
    )
  })

  test('gets absolute URLs of its own server only when they are asked for', async () => {
    await scene.moultOk(['release', '1.1.1'], { cwd: project })
    const { binaries } = readJson<PlainManifest>(join(project, 'updates', 'version.json'))
    for (const { url } of Object.values(binaries)) assert.match(url, /^bin\/1\.1\.1\/foreign-agent-/)
  })
})
