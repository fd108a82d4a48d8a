import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { list } from 'tar'

import { jsonOf, readJson, REPOSITORY, Scene } from '../helpers/moult.ts'

const AGENT = `import { Updater } from 'moult/agent'

declare const __MOULT_VERSION__: string
const version: string = __MOULT_VERSION__

if (process.argv.includes('--version')) console.log(version)
else new Updater({ version }).start()
`

/** Uses each entry of the package, and types that come from it. */
const CONSUMER = `/// <reference types="moult/globals" />
import * as all from 'moult'
import { type AgentEvent, eventText, Updater, type UpdaterOptions } from 'moult/agent'
import { ERROR_CODES, type Manifest, MoultError } from 'moult/manifests'
import { release, type ReleaseResult } from 'moult/release'

const options: UpdaterOptions = { version: '1.0.0', onEvent: (event: AgentEvent) => console.log(eventText(event)) }
export const updater: Updater = new Updater(options)
export const publish = (): Promise<ReleaseResult> => release({ version: '1.0.0' })
export const own = (): string => __MOULT_VERSION__
export const versionOf = (manifest: Manifest): string => manifest.release.version
export const status: number = new MoultError('ERR_LOCK_HELD', 'held').exitCode
// @ts-expect-error The version is required: types are not \`any\`.
new Updater({})
console.log(JSON.stringify([Object.keys(all).length > 0, typeof release, typeof ERROR_CODES, status]))
`

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    target: 'es2023',
    module: 'nodenext',
    moduleResolution: 'nodenext',
    exactOptionalPropertyTypes: true,
    outDir: 'out',
    // What a user's project has in its own node_modules.
    typeRoots: [join(REPOSITORY, 'node_modules', '@types')],
    types: ['node'],
  },
  files: ['consumer.ts'],
}

describe('the packed npm package', { timeout: 180_000 }, () => {
  let scene: Scene
  let project = ''
  let tarball = ''
  before(async () => {
    scene = new Scene('pack')
    project = scene.folder('empty project')
    const packed = await scene.run('npm', ['pack', '--pack-destination', scene.folder('packed')], { cwd: REPOSITORY })
    assert.equal(packed.code, 0, packed.stderr)
    tarball = scene.path('packed', readdirSync(scene.path('packed'))[0] ?? '')
    scene.write('empty project/package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--no-progress']
    const installed = await scene.run('npm', ['install', ...flags, tarball], { cwd: project })
    assert.equal(installed.code, 0, installed.stderr)
  })
  after(() => scene.close())

  const npx = (...args: string[]) => scene.run('npx', ['--no-install', 'moult', ...args], { cwd: project })

  test('holds what the commands need, and no sources, tests or keys', async () => {
    const names: string[] = []
    await list({ file: tarball, onReadEntry: ({ path }) => void names.push(path.replace(/^package\//, '')) })
    for (const name of [
      'package.json',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'dist/agent/launcher/launch.sh',
      'dist/manifests/index.d.ts',
      'schemas/moult.config.schema.json',
      'scripts/update-server.sh',
      'scripts/release-local.sh',
      'LICENSE',
    ]) {
      assert.ok(names.includes(name), `${name} is in the package`)
    }
    const strange = names.filter(
      (name) =>
        !/^(?:dist|docs|schemas)\/|^scripts\/[\w-]+\.sh$|^(?:README|SPEC|CHANGELOG|SECURITY)\.md$|^LICENSE$|^globals\.d\.ts$|^package\.json$/.test(
          name,
        ) || /(?<!\.d)\.ts$|\.test\.|\.tsbuildinfo$|\.key$|^keys\/|(?:^|\/)(?:test|updates|node_modules)\//.test(name),
    )
    assert.deepEqual(strange, [])
  })

  test('makes, serves, installs and updates a script agent in an empty project', async () => {
    scene.write('empty project/agent.ts', AGENT)
    const begun = await npx('init', '--name', 'tiny-agent', '--agent', 'agent.ts', '--json')
    assert.equal(begun.code, 0, begun.stderr)
    assert.equal(jsonOf(begun)['type'], 'script')
    const released = await npx('release', '1.0.0', '--json')
    assert.equal(released.code, 0, released.stderr)
    const server = scene.start('npx', ['--no-install', 'moult', 'serve', '--port', '0', '--json'], { cwd: project })
    const [, url = ''] = await server.line(/^\{"url":"([^"]+)"/)

    const home = scene.path('agent home')
    const root = join('trust', '1.root.json')
    const installed = await npx('agent', 'install', '--home', home, '--server', url, '--root', root, '--json')
    assert.equal(installed.code, 0, installed.stderr)
    const checked = await npx('agent', 'check', '--home', home)
    assert.deepEqual([checked.code, checked.stdout], [0, 'Up to date: 1.0.0\n'], checked.stderr)
    assert.equal((await scene.run(join(home, 'launch'), ['--version'])).stdout, '1.0.0\n')

    assert.equal((await npx('release', '--next')).code, 0)
    const updated = await npx('agent', 'check', '--apply', '--home', home)
    assert.equal(updated.code, 100, updated.stderr)
    assert.equal((await scene.run(join(home, 'launch'), ['--version'])).stdout, '1.0.1\n')

    const verified = await npx('verify', '--json')
    assert.equal(verified.code, 0, verified.stderr)
    assert.equal(jsonOf(verified)['version'], '1.0.1')
  })

  test('has types for each of its entries, also where the declarations of libraries are checked', async () => {
    scene.write('empty project/consumer.ts', CONSUMER)
    scene.write('empty project/tsconfig.json', JSON.stringify(TSCONFIG))
    const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc')
    const compiled = await scene.run(process.execPath, [tsc, '-p', project])
    assert.equal(compiled.code, 0, compiled.stdout)
    const ran = await scene.run(process.execPath, [join('out', 'consumer.js')], { cwd: project })
    assert.deepEqual([ran.code, ran.stdout], [0, '[true,"function","object",28]\n'], ran.stderr)
  })

  test('answers with its own version, and refuses a wrong command with status 2', async () => {
    const { version } = readJson<{ version: string }>(join(REPOSITORY, 'package.json'))
    assert.equal((await npx('--version')).stdout, `${version}\n`)
    assert.equal((await npx('relaese')).code, 2)
  })
})
