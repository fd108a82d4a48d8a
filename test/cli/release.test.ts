import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { makeProject, snapshot, temporaryFolder, writeTree } from '../release/project-fixture.ts'
import { runMoult } from './moult-process.ts'

interface ErrorOutput {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint?: string
    readonly details?: Record<string, unknown>
  }
}
const errorOf = (stdout: string): ErrorOutput['error'] => (JSON.parse(stdout) as ErrorOutput).error

test('from an empty directory to a verified release of a TypeScript agent', async (t) => {
  const dir = await temporaryFolder(t)
  await writeTree(dir, { 'src/main.ts': 'declare const __MOULT_VERSION__: string\nconsole.log(__MOULT_VERSION__)\n' })
  const init = await runMoult(['init', '--name', 'probe', '--agent', 'src/main.ts'], dir)
  assert.equal(init.code, 0, init.stderr)
  assert.match(init.stderr, /^warning: one key plays every role/)
  assert.match(init.stdout, /moult\.config\.json\n {2}keys\/moult\.key\n {2}trust\/1\.root\.json\n/)

  const release = await runMoult(['release', '1.0.0'], dir)
  assert.equal(release.code, 0, release.stderr)
  assert.match(release.stdout, /^Published probe 1\.0\.0 on stable to .*updates\n/)
  assert.match(release.stdout, /Sequence 1, 100 % at once, good until /)
  assert.equal(release.stderr, '', 'progress was shown without a terminal')

  const verify = await runMoult(['verify', '--json'], dir)
  assert.equal(verify.code, 0, verify.stderr)
  const { kind, version, files } = JSON.parse(verify.stdout) as { kind: string; version: string; files: unknown[] }
  assert.deepEqual([kind, version, files.length], ['verified', '1.0.0', 10])
})

test('with --json stdout is one object, of the result or of the error', async (t) => {
  const { dir } = await makeProject(t)
  const { code, stdout } = await runMoult(['release', '1.0.0', '--json', '--percent', '25%', '--notes', 'hi'], dir)
  assert.equal(code, 0)
  const result = JSON.parse(stdout) as { kind: string; rollout: { stages: { percent: number }[] } }
  assert.deepEqual([result.kind, result.rollout.stages[0]?.percent], ['published', 25])

  const failed = await runMoult(['release', '0.9.0', '--json'], dir)
  assert.equal(failed.code, 24)
  assert.deepEqual([errorOf(failed.stdout).code, failed.stderr], ['ERR_POLICY_REFUSED', ''])
})

test('an error is printed with its hint and code', async (t) => {
  const { code, stdout, stderr } = await runMoult(['release', '1.0.0'], await temporaryFolder(t))
  assert.deepEqual([code, stdout], [2, ''])
  assert.equal(
    stderr,
    'error: no such file: moult.config.json\nhint: Start a project with `moult init`, or name the file with --config.\ncode: ERR_CONFIG_MISSING\n',
  )
})

test('each kind of failure has its exit status', async (t) => {
  const { dir, change, writeAgents } = await makeProject(t)
  const expect = async (args: readonly string[], code: number, errorCode: string): Promise<void> => {
    const outcome = await runMoult([...args, '--json'], dir)
    assert.equal(outcome.code, code, `${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
    assert.equal(errorOf(outcome.stdout).code, errorCode)
  }
  await runMoult(['release', '1.0.0'], dir)
  await writeAgents('echo other')
  await Promise.all([
    expect(['init'], 2, 'ERR_USAGE_EXISTS'),
    expect(['relaese'], 2, 'ERR_USAGE_INVALID'),
    expect(['release', '--notes-file', 'none', '1.0.1'], 2, 'ERR_CONFIG_MISSING'),
    expect(['release', 'latest'], 2, 'ERR_USAGE_INVALID'),
    expect(['release', '1.0.1', '--percent', 'half'], 2, 'ERR_USAGE_INVALID'),
    expect(['release', '1.0.0'], 27, 'ERR_PUBLISH_EXISTS'),
    expect(['verify', 'http://127.0.0.1:9'], 20, 'ERR_NETWORK_UNREACHABLE'),
    expect(['serve', 'none'], 2, 'ERR_CONFIG_MISSING'),
  ])
  await writeFile(join(dir, 'updates/bin/1.0.0/probe-linux-amd64'), 'damaged')
  await expect(['verify'], 23, 'ERR_BYTES_SIZE')
  await writeFile(join(dir, 'updates/version.json'), 'damaged')
  await expect(['verify'], 21, 'ERR_MANIFEST_SYNTAX')
  await change({ build: { type: 'command', command: 'false' } })
  await expect(['release', '1.0.1'], 27, 'ERR_PUBLISH_FAILED')
})

test('the output of a failing build is shown before the error', async (t) => {
  const { dir, change } = await makeProject(t, { platforms: ['linux-amd64'] })
  await change({ build: { type: 'command', shell: true, command: 'echo syntax error >&2; exit 7' } })
  const { code, stderr } = await runMoult(['release', '1.0.0'], dir)
  assert.equal(code, 2)
  assert.match(stderr, /^syntax error\nerror: the build command failed \(exit status 7\): linux-amd64\n/)
})

test('a mistyped command is answered with the nearest one, and help and version are no errors', async (t) => {
  const dir = await temporaryFolder(t)
  const [typo, help, version] = await Promise.all([
    runMoult(['relaese'], dir),
    runMoult(['--help'], dir),
    runMoult(['--version'], dir),
  ])
  assert.match(typo.stderr, /unknown command 'relaese'\n\(Did you mean release\?\)/)
  assert.match(help.stdout, /init[^]*release[^]*verify[^]*serve/)
  const { version: expected } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  assert.deepEqual([help.code, version.code, version.stdout], [0, 0, `${expected}\n`])
})

test('--plan publishes nothing, and --next takes the patch after the live version', async (t) => {
  const { dir, updates, writeAgents } = await makeProject(t)
  await runMoult(['release', '1.2.3'], dir)
  await writeAgents('echo 2')
  const before = await snapshot(updates)
  const plan = await runMoult(['release', '--next', '--plan'], dir)
  assert.match(plan.stdout, /^Plan for probe 1\.2\.4 on stable to .*: nothing was published\n {2}write bin\/1\.2\.4/)
  assert.deepEqual(await snapshot(updates), before)
})

test('the private key appears in no output, and in no process that a release starts', async (t) => {
  const { dir, change } = await makeProject(t, { platforms: ['linux-amd64'] })
  const { seed } = JSON.parse(await readFile(join(dir, 'keys/moult.key'), 'utf8')) as { seed: string }
  const outputs: string[] = []
  const run = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number | null> => {
    const { code, stdout, stderr } = await runMoult(args, dir, env)
    outputs.push(stdout, stderr)
    return code
  }
  // The build prints its whole environment, and that of its parent as far as the system tells, and then fails.
  await change({
    build: { type: 'command', shell: true, command: 'env; exit 1' },
    keys: { rollout: { env: 'CI_KEY' } },
  })
  assert.equal(await run(['release', '1.0.0'], { MOULT_KEY: seed, CI_KEY: seed }), 2)
  assert.match(outputs.join(), /MOULT_PLATFORM=linux-amd64/)
  await change({ build: { type: 'files', path: 'bin/agent-{platform}' } })
  assert.equal(await run(['release', '1.0.0', '--json'], { MOULT_KEY: seed, CI_KEY: seed }), 0)
  assert.equal(await run(['release', '1.0.1'], { MOULT_KEY: `${seed}x`, CI_KEY: seed }), 2)
  await writeFile(join(dir, 'keys/moult.key'), `{"format":"moult-key/1","type":"ed25519","seed":"${seed}",}`)
  await change({ keys: {} })
  assert.equal(await run(['release', '1.0.1', '--json']), 2)
  assert.equal(await run(['release', '1.0.1']), 2)
  const all = outputs.join('\n')
  const hex = Buffer.from(seed, 'base64').toString('hex')
  for (const secret of [seed, seed.slice(0, 20), seed.slice(-20), hex])
    assert.ok(!all.includes(secret), 'the seed was printed')
})

test('two releases from the command line never share a sequence', async (t) => {
  const { dir, readJson } = await makeProject(t)
  const outcomes = await Promise.all(['1.0.0', '1.0.1'].map((version) => runMoult(['release', version, '--json'], dir)))
  const won = outcomes.filter(({ code }) => code === 0)
  assert.ok(won.length > 0, outcomes.map(({ stdout }) => stdout).join())
  for (const { code } of outcomes) assert.ok([0, 24, 27].includes(code ?? -1))
  const { rollout } = await readJson<{ rollout: { sequence: number } }>('updates/version.json')
  assert.equal(rollout.sequence, won.length)
})

test('an interrupted release ends its build, keeps what is live, and exits as shells expect', async (t) => {
  const { dir, updates, change } = await makeProject(t, { platforms: ['linux-amd64'] })
  await runMoult(['release', '1.0.0'], dir)
  const before = await snapshot(updates)
  await change({ build: { type: 'command', shell: true, command: 'kill -INT $PPID; sleep 30' } })
  const started = Date.now()
  const { code, stderr } = await runMoult(['release', '1.0.1'], dir)
  assert.deepEqual([code, stderr], [130, 'stopped by SIGINT\n'])
  assert.ok(Date.now() - started < 15_000)
  assert.deepEqual(await snapshot(updates), before)
})
