import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { isMoultError, type MoultError } from '../../manifests/index.ts'
import { configJsonSchema } from '../../release/config-schema.ts'
import { readConfig } from '../../release/read-config.ts'
import { temporaryFolder } from './project-fixture.ts'

const VALID = { name: 'probe', build: { type: 'files', path: 'bin/{os}' } }

async function errorOf(t: TestContext, content: string | object): Promise<MoultError> {
  const file = join(await temporaryFolder(t), 'moult.config.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  try {
    await readConfig(file)
  } catch (error) {
    assert.ok(isMoultError(error), String(error))
    return error
  }
  assert.fail('the configuration was accepted')
}

test('a small configuration is enough', async (t) => {
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'c.json'), JSON.stringify(VALID))
  assert.deepEqual(await readConfig(join(dir, 'c.json')), { config: VALID, dir })
})

test('the published JSON Schema is the one of the code', async () => {
  const published = await readFile(new URL('../../schemas/moult.config.schema.json', import.meta.url), 'utf8')
  assert.deepEqual(
    JSON.parse(published),
    JSON.parse(JSON.stringify(configJsonSchema())),
    'run scripts/write-schemas.ts',
  )
})

test('an unknown member is an error that names the nearest known one', async (t) => {
  const error = await errorOf(t, { ...VALID, platfroms: [] })
  assert.equal(error.code, 'ERR_CONFIG_INVALID')
  assert.equal(error.details['path'], 'platfroms')
  assert.equal(error.hint, 'Did you mean "platforms"?')
})

test('a fault deep inside tells its path, what was expected and what it got', async (t) => {
  const error = await errorOf(t, { ...VALID, platforms: ['linux-amd64', 'Linux/x64'] })
  assert.match(error.message, /^platforms\[1\]: expected a platform such as linux-amd64, got "Linux\/x64": /)
  const { path, expected, got } = error.details
  assert.deepEqual([path, expected, got], ['platforms[1]', 'a platform such as linux-amd64', '"Linux/x64"'])
})

const FAULTS: readonly (readonly [string, object, RegExp])[] = [
  [
    'a wrong build type',
    { build: { type: 'scirpt', entry: 'x' } },
    /build\.type: expected "command" or .*, got "scirpt"/,
  ],
  ['a member of another build type', { build: { type: 'files', entry: 'x' } }, /build\.entry/],
  ['a channel that is a folder of the layout', { channel: 'bin' }, /channel: expected a channel besides bin/],
  ['a rollout without end', { rollout: { expires: '401d' } }, /rollout\.expires: .* at most 400d/],
  ['stages that shrink', { rollout: { stages: '0h:50%,1h:20%' } }, /rollout\.stages/],
  ['a percent above 100', { rollout: { percent: 101 } }, /rollout\.percent: expected an integer from 0 to 100/],
  [
    'a rule that cannot be read',
    { rollout: { rules: ['all -> hold', 'all -> helt'] } },
    /rollout\.rules\[1\]: expected an effect/,
  ],
  ['a flag that cannot be read', { rollout: { flags: ['a=1 60%, 2 60%'] } }, /rollout\.flags\[0\].*100 percent/],
  ['a rate without a time', { rollout: { maxRate: '500' } }, /rollout\.maxRate: expected downloads in a time/],
  ['a fleet of nobody', { rollout: { fleetSize: 0 } }, /rollout\.fleetSize/],
  ['the channel history', { channel: 'history' }, /channel: expected a channel besides bin, history/],
  ['an entry that leaves the tree', { build: { type: 'directory', path: 'x', entry: '../agent' } }, /build\.entry/],
  [
    'a hook that leaves the tree',
    { build: { type: 'directory', path: 'x', entry: 'agent', hooks: { preUpdate: '../check' } } },
    /build\.hooks\.preUpdate/,
  ],
  [
    'a hook with arguments',
    { build: { type: 'directory', path: 'x', entry: 'agent', hooks: { postUpdate: 'migrate --all' } } },
    /build\.hooks\.postUpdate/,
  ],
  ['hooks of a single file', { build: { type: 'files', path: 'x', hooks: { preUpdate: 'check' } } }, /build\.hooks/],
  ['a place that is neither', { publish: { path: 'x' } }, /publish: expected an object with the member "type" or "s3"/],
  [
    'two places at once',
    { publish: { type: 'directory', path: 'x', s3: { bucket: 'b' } } },
    /publish\.s3: expected no such member/,
  ],
  ['a bucket without a name', { publish: { s3: {} } }, /publish\.s3\.bucket: expected a value/],
  [
    'a prefix that leaves the bucket',
    { publish: { s3: { bucket: 'b', prefix: '/x' } } },
    /publish\.s3\.prefix: expected a prefix/,
  ],
  [
    'an option that S3 has not',
    { publish: { s3: { bucket: 'b', pathstyle: true } } },
    /publish\.s3\.pathstyle: expected "pathStyle"/,
  ],
  ['a base URL of another scheme', { baseUrl: 'file:///x' }, /baseUrl/],
]
for (const [name, members, message] of FAULTS) {
  test(`refused: ${name}`, async (t) => {
    const error = await errorOf(t, { ...VALID, ...members })
    assert.equal(error.code, 'ERR_CONFIG_INVALID')
    assert.match(error.message, message)
  })
}

for (const [given, meant] of [
  ['linux-x64', 'linux-amd64'],
  ['linux-x86_64', 'linux-amd64'],
  ['darwin-aarch64', 'darwin-arm64'],
  ['macos-arm64', 'darwin-arm64'],
  ['win32-x64', 'windows-amd64'],
  ['Linux-amd64', 'linux-amd64'],
  ['linux-armv7l', 'linux-arm'],
] as const) {
  test(`refused: the platform ${given}, which is ${meant} here`, async (t) => {
    const error = await errorOf(t, { ...VALID, platforms: ['windows-arm64', given] })
    assert.match(error.message, /^platforms\[1\]: expected a platform in Go's names, got /)
    assert.equal(error.hint, `Did you mean "${meant}"?`)
  })
}

test('refused: a platform twice', async (t) => {
  const error = await errorOf(t, { ...VALID, platforms: ['linux-amd64', 'plan9-386', 'linux-amd64'] })
  assert.match(error.message, /^platforms\[2\]: expected each platform once, got "linux-amd64"/)
})

for (const [command, found] of [
  ['make && cp a {out}', '&&'],
  ['make || true', '||'],
  ['cat a | tee {out}', '|'],
  ['make; make install', ';'],
  ['cat a > {out}', '>'],
  ['sort < a', '<'],
  ['echo `date`', '`'],
  ['echo $(date)', '$('],
  ['go build -o $MOULT_OUT', '$MOULT_OUT'],
  ['go build -o ${MOULT_OUT}', '${'],
  ['go build -ldflags "-X main.v={version}" -o {out}', '"'],
] as const) {
  test(`refused without a shell: ${command}`, async (t) => {
    const error = await errorOf(t, { ...VALID, build: { type: 'command', command } })
    assert.equal(error.code, 'ERR_CONFIG_INVALID')
    assert.ok(error.message.startsWith('build.command: ') && error.message.endsWith(`got ${found}`), error.message)
    assert.match(error.hint ?? '', /"shell": true.* array/)
  })
}

test('a shell, an array and a plain command take what they can', async (t) => {
  const file = join(await temporaryFolder(t), 'c.json')
  for (const build of [
    { command: 'make -o {out} > log && echo $HOME', shell: true },
    { command: ['sh', '-c', 'make && echo "$HOME"'] },
    { command: 'go build -o {out} -tags=a,b ./cmd/agent@v1 50%' },
  ]) {
    await writeFile(file, JSON.stringify({ ...VALID, build: { type: 'command', ...build } }))
    await readConfig(file)
  }
  const error = await errorOf(t, { ...VALID, build: { type: 'command', command: ['make'], shell: true } })
  assert.match(error.message, /^build\.command: expected a string because shell is true/)
})

for (const [name, text, place] of [
  ['a comma too many', '{\n  "name": "probe",\n}', '3:1'],
  ['a comment', '{\n  // hello\n}', '2:3'],
  ['an empty file', '', '1:1'],
  ['a repeated member', '{"name": "a", "name": "b"}', '1:15'],
] as const) {
  test(`${name} is an error with line and column`, async (t) => {
    const error = await errorOf(t, text)
    assert.equal(error.code, 'ERR_CONFIG_INVALID')
    assert.ok(error.message.endsWith(`moult.config.json:${place}`), error.message)
  })
}

test('a missing file points to `moult init`', async (t) => {
  await assert.rejects(readConfig(join(await temporaryFolder(t), 'none.json')), (error: MoultError) => {
    assert.equal(error.code, 'ERR_CONFIG_MISSING')
    return /moult init/.test(error.hint ?? '')
  })
})

test('a bucket takes three lines', async (t) => {
  const dir = await temporaryFolder(t)
  for (const publish of [
    { s3: { bucket: 'updates' } },
    { s3: { bucket: 'updates', prefix: 'agents/probe/', region: 'eu-central-1' }, url: 'https://updates.example.com' },
    { s3: { bucket: 'updates', endpoint: 'http://127.0.0.1:9000', tags: { team: 'a' }, sse: 'AES256' } },
  ]) {
    await writeFile(join(dir, 'c.json'), JSON.stringify({ ...VALID, publish }))
    assert.deepEqual((await readConfig(join(dir, 'c.json'))).config.publish, publish)
  }
})
