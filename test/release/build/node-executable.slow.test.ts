import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, copyFile, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { platformOf } from '../../../manifests/platform.ts'
import { inspectExecutable } from '../../../release/build/inspect-executable.ts'
import { signMachO } from '../../../release/build/mach-o-signature.ts'
import { buildNodeExecutable, type NodeExecutable } from '../../../release/build/node-executable.ts'
import { NODE_PLATFORMS } from '../../../release/build/node-packages.ts'
import { fetchNodeRuntime } from '../../../release/build/node-runtime.ts'
import { verifyMachOSignature } from './mach-o-verifier.ts'

// Fetches Node for five platforms (260 MB, 670 MB unpacked) into the ordinary cache and needs 1 GB in the temporary directory.

const run = promisify(execFile)
const HOST = platformOf(process.platform, process.arch)
const ADHOC = 0x2
const LINKER_SIGNED_ADHOC = 0x20002

const AGENT = `import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
declare const __MOULT_VERSION__: string
if (process.argv.includes('--version')) console.log('heartbeat ' + __MOULT_VERSION__)
else void main()
async function main(): Promise<void> {
  const os = await import('node:os')
  console.log(JSON.stringify({
    url: import.meta.url,
    filename: import.meta.filename,
    required: typeof createRequire(import.meta.url)('node:fs').readFileSync,
    imported: typeof os.hostname,
    exists: existsSync(import.meta.filename),
    args: process.argv.slice(2),
    execArgv: process.execArgv,
  }))
}
`

let directory = ''
const built = new Map<string, NodeExecutable>()

before(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'moult-sea-')))
  await writeFile(join(directory, 'agent.ts'), AGENT)
})
after(() => rm(directory, { recursive: true, force: true }))

function build(platform: string, out: string, cwd = directory): Promise<NodeExecutable> {
  return buildNodeExecutable({ entry: 'agent.ts', version: '1.2.3', platform, out, cwd })
}

function artifact(platform: string): string {
  const executable = built.get(platform)
  assert.ok(executable !== undefined, `${platform} was built`)
  return executable.path
}

test('five platforms are built at the same time, each with the right header, and nothing else is left', async (t) => {
  const start = Date.now()
  const results = await Promise.all(NODE_PLATFORMS.map((platform) => build(platform, join('out', platform))))
  t.diagnostic(`built in ${Date.now() - start} ms`)
  for (const executable of results) {
    built.set(executable.platform, executable)
    const { os, arch } = await inspectExecutable(executable.path)
    assert.equal(`${os}-${arch}`, executable.platform)
    t.diagnostic(`${executable.platform}: ${executable.size} bytes, ${JSON.stringify(executable.smoke)}`)
    if (executable.platform === HOST) assert.deepEqual(executable.smoke, { ran: true, how: 'native' })
  }
  assert.deepEqual((await readdir(join(directory, 'out'))).toSorted(), NODE_PLATFORMS.toSorted())
})

test('the same agent in another directory gives the same bytes', async () => {
  const cwd = await realpath(await mkdtemp(join(tmpdir(), 'moult-sea-again-')))
  try {
    await copyFile(join(directory, 'agent.ts'), join(cwd, 'agent.ts'))
    for (const platform of [HOST, 'darwin-arm64']) {
      assert.equal((await build(platform, join('other', platform), cwd)).sha256, built.get(platform)?.sha256)
    }
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
})

test('the agent inside knows where it is, also through a link, and can require and import built-in modules', async () => {
  const path = artifact(HOST)
  await symlink(path, join(directory, 'current'))
  for (const command of [path, join(directory, 'current')]) {
    const { stdout, stderr } = await run(command, ['--flag', 'x'])
    assert.equal(stderr, '')
    assert.deepEqual(JSON.parse(stdout), {
      url: pathToFileURL(path).href,
      filename: path,
      required: 'function',
      imported: 'function',
      exists: true,
      args: ['--flag', 'x'],
      execArgv: [],
    })
  }
})

test('NODE_OPTIONS loads no code into the executable, though it does into plain Node', async () => {
  const marker = join(directory, 'evil-ran')
  const evil = join(directory, 'evil.cjs')
  await writeFile(evil, `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')\n`)
  const env = { ...process.env, NODE_OPTIONS: `--require ${evil}` }

  const { stdout } = await run(artifact(HOST), ['--version'], { env })
  assert.equal(stdout, 'heartbeat 1.2.3\n')
  await assert.rejects(access(marker), { code: 'ENOENT' })

  const node = await fetchNodeRuntime({ platform: HOST })
  await run(node.path, ['-e', '0'], { env })
  await access(marker)
})

test('the options of Node on the command line are arguments of the agent', async () => {
  const { stdout } = await run(artifact(HOST), ['--node-options=--title=x', '--eval', 'process.exit(7)'])
  assert.match(stdout, /"args":\["--node-options=--title=x","--eval","process\.exit\(7\)"\],"execArgv":\[\]/)
})

test('the verifier accepts what other tools have signed: the linker of Go, and Apple for Node itself', async () => {
  await run('npm', ['pack', '@esbuild/darwin-arm64@0.28.2', '--pack-destination', directory])
  await extract({ file: join(directory, 'esbuild-darwin-arm64-0.28.2.tgz'), cwd: directory })
  const foreign = await readFile(join(directory, 'package', 'bin', 'esbuild'))
  const { flags, slots } = verifyMachOSignature(foreign)
  assert.deepEqual([flags, slots], [LINKER_SIGNED_ADHOC, [0]])
  assert.equal(verifyMachOSignature(signMachO(foreign, 'again')).flags, ADHOC)

  for (const platform of ['darwin-arm64', 'darwin-amd64']) {
    const { path } = await fetchNodeRuntime({ platform })
    assert.equal(verifyMachOSignature(await readFile(path)).identifier, 'node')
  }
})

test('both macOS executables carry a valid ad-hoc signature over all their pages', async () => {
  for (const platform of ['darwin-arm64', 'darwin-amd64']) {
    const { identifier, flags, slots, pages } = verifyMachOSignature(await readFile(artifact(platform)))
    assert.deepEqual([identifier, flags, slots], [platform, ADHOC, [0, 2, 0x10000]])
    assert.ok(pages > 30_000)
  }
})
