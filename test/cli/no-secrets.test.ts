// No byte of a private key or passphrase is given away: not in output, argument lists, files, reports, or to the
// programs that a release starts. Case 45 of the catalogue.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'

import { encodeBase64 } from '../../manifests/index.ts'
import { formatKeyFile } from '../../release/signers/key-file.ts'
import { signerOfSeed } from '../../release/signers/signer.ts'
import { watchCommandLines } from '../helpers/command-lines.ts'
import { findSecret } from '../helpers/secret-forms.ts'
import { type Fixture, makeProject, temporaryFolder } from '../release/project-fixture.ts'
import { type Outcome, runMoult } from './moult-process.ts'

const KMS = fileURLToPath(new URL('../fixtures/fake-kms.mjs', import.meta.url))
const CRASH = new URL('../fixtures/crash-when-signing.mjs', import.meta.url).href
/** Words, so that no part of it stands anywhere by chance. */
const PASSPHRASE = `zebra-${randomBytes(6).toString('hex')}-quartz`

/** A project of one key in every role, and all that its commands gave away. */
interface Scene extends Fixture {
  readonly seed: Uint8Array
  readonly text: string
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Outcome>
  readonly assertNothingLeaked: () => Promise<void>
}

async function makeScene(t: Parameters<typeof makeProject>[0]): Promise<Scene> {
  const project = await makeProject(t, { platforms: ['linux-amd64'] })
  const { seed: text } = await project.readJson<{ seed: string }>('keys/moult.key')
  const seed = Buffer.from(text, 'base64')
  const given: string[] = []
  const temporary = join(project.dir, 'tmp')
  await mkdir(temporary)
  const run: Scene['run'] = async (args, env = {}) => {
    const outcome = await runMoult(args, project.dir, { TMPDIR: temporary, ...env })
    given.push(outcome.stdout, outcome.stderr)
    return outcome
  }
  const assertNothingLeaked = async (): Promise<void> => {
    const entries = await readdir(project.dir, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(project.dir, 'keys')))
    for (const { parentPath, name } of files) {
      assertClean(await readFile(join(parentPath, name)), seed, `the file ${name}`)
    }
    assertClean(Buffer.from(given.join('\n')), seed, 'the output')
    assert.ok(
      [...lines.seen].some((line) => line.includes('/cli/main.ts')),
      'no argument list was seen',
    )
    assertClean(Buffer.from([...lines.seen].join('\n'), 'latin1'), seed, 'an argument list')
  }
  return { ...project, seed, text, run, assertNothingLeaked }
}

function assertClean(bytes: Buffer, seed: Uint8Array, where: string): void {
  assert.equal(findSecret(bytes, seed), undefined, `a part of the key is in ${where}`)
  for (const part of [PASSPHRASE.slice(0, 12), PASSPHRASE.slice(-12)]) {
    assert.ok(!bytes.includes(part), `the passphrase is in ${where}`)
  }
}

let lines: ReturnType<typeof watchCommandLines>

describe('case 45: no private key byte is given away', { skip: process.platform !== 'linux' }, () => {
  before(() => {
    lines = watchCommandLines()
  })
  after(() => lines.stop())

  test('by the forms that this test looks for: each is found when it is planted', () => {
    const seed = new Uint8Array(randomBytes(32))
    const bytes = Buffer.from(seed)
    const part = bytes.subarray(9, 19)
    const forms = [
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
      part.toString('hex'),
      bytes.toString('base64'),
      bytes.toString('base64url'),
      Buffer.concat([Buffer.from('x'), bytes]).toString('base64'),
      Buffer.concat([Buffer.from('xy'), bytes]).toString('base64'),
      bytes.toString('base64').slice(4, 20),
      JSON.stringify(bytes),
      JSON.stringify(seed),
      JSON.stringify([...part]),
      inspect(seed),
      inspect(bytes),
      [...bytes].join(' '),
    ]
    for (const form of [
      ...forms.map((text) => Buffer.from(`before ${text} after`)),
      Buffer.concat([Buffer.from('a'), part]),
    ]) {
      assert.notEqual(findSecret(form, seed), undefined, form.toString('latin1'))
    }
    assert.equal(findSecret(Buffer.from(forms.join('\n')), new Uint8Array(randomBytes(32))), undefined)
  })

  test('by the commands for keys, in success and failure', async (t) => {
    const { dir, text, run, assertNothingLeaked } = await makeScene(t)
    const env = { MOULT_PASSPHRASE: PASSPHRASE, DEBUG: '*' }
    assert.equal((await run(['keys', 'public', 'keys/moult.key', '--out', 'a.pub', '--json'])).code, 0)
    assert.equal((await run(['keys', 'new', 'keys/moult.key'])).code, 2)
    for (const spoilt of [
      `{"format":"moult-key/1","seed":"${text}",}`,
      text,
      `{"seed":"${text}"}`,
      text.slice(0, 30),
    ]) {
      await writeFile(join(dir, 'keys/spoilt.key'), spoilt, { mode: 0o600 })
      for (const command of ['public', 'encrypt']) {
        assert.equal((await run(['keys', command, 'keys/spoilt.key', '--json'], env)).code, 2)
      }
    }
    assert.equal((await run(['keys', 'encrypt', 'keys/moult.key', '--json'], env)).code, 0)
    assert.equal((await run(['keys', 'encrypt', 'keys/moult.key'], env)).code, 2)
    assert.equal(
      (await run(['keys', 'new', 'keys/b.key', '--encrypt'], { MOULT_PASSPHRASE: PASSPHRASE.slice(0, 5) })).code,
      2,
    )
    await assertNothingLeaked()
  })

  test('by releases and rollouts, with key files, variables and passphrases', async (t) => {
    const { dir, text, change, run, writeAgents, assertNothingLeaked } = await makeScene(t)
    const noisy = { DEBUG: '*', NODE_DEBUG: 'execa,fs,stream,http,undici' }
    assert.equal((await run(['release', '1.0.0', '--json'], noisy)).code, 0)
    await change({ keys: { rollout: { env: 'CI_KEY' } } })
    await writeAgents('echo 2')
    const env = { ...noisy, MOULT_KEY: text, CI_KEY: text }
    assert.equal((await run(['release', '1.0.1', '--no-rollout'], env)).code, 0)
    assert.equal((await run(['rollout', 'set', '1.0.1', '--percent', '10', '--json'], env)).code, 0)
    assert.equal((await run(['rollout', 'set', '1.0.9'], env)).code, 2)
    assert.equal((await run(['release', '1.0.2', '--json'], { ...env, MOULT_KEY: `${text}x` })).code, 2)
    assert.equal((await run(['release', '1.0.2'], { ...env, CI_KEY: encodeBase64(randomBytes(32)) })).code, 2)
    await change({ keys: {} })
    await run(['keys', 'encrypt', 'keys/moult.key'], { MOULT_PASSPHRASE: PASSPHRASE })
    assert.equal((await run(['rollout', 'set', '1.0.1'], { ...noisy, MOULT_PASSPHRASE: PASSPHRASE })).code, 0)
    await writeFile(join(dir, 'keys/pass'), `${PASSPHRASE}x\n`)
    assert.equal((await run(['rollout', 'set', '1.0.1', '--passphrase-file', 'keys/pass'], noisy)).code, 2)
    await assertNothingLeaked()
  })

  test('to a build, which sees neither keys nor passphrases in its environment or that of its parent', async (t) => {
    const { text, change, run, assertNothingLeaked } = await makeScene(t)
    const command = 'env; tr "\\0" "\\n" </proc/$PPID/cmdline; tr "\\0" "\\n" </proc/self/environ; exit 1'
    await change({ build: { type: 'command', shell: true, command }, keys: { rollout: { env: 'CI_KEY' } } })
    const env = { MOULT_KEY: text, CI_KEY: text, MOULT_PASSPHRASE: PASSPHRASE }
    const { code, stderr } = await run(['release', '1.0.0'], env)
    assert.equal(code, 2)
    assert.match(stderr, /MOULT_PLATFORM=linux-amd64/)
    await assertNothingLeaked()
  })

  test('to or by a command that signs, whether it works, fails, floods or crashes', async (t) => {
    const { dir, text, change, run, assertNothingLeaked } = await makeScene(t)
    // Its own key is no business of Moult: it stands for a service elsewhere.
    const elsewhere = await temporaryFolder(t)
    const kms = new Uint8Array(randomBytes(32))
    await writeFile(join(elsewhere, 'seed'), Buffer.from(kms).toString('hex'))
    const signer = (manner: string, own: Uint8Array) => ({
      command: [process.execPath, KMS, join(elsewhere, 'seed'), manner, join(dir, 'witness')],
      public: encodeBase64(signerOfSeed(own).publicKey),
      timeout: '5s',
    })
    const { seed } = JSON.parse(await readFile(join(dir, 'keys/moult.key'), 'utf8')) as { seed: string }
    const env = { MOULT_KEY: text, CI_KEY: text, MOULT_PASSPHRASE: PASSPHRASE, DEBUG: '*' }
    for (const manner of ['fail', 'crash', 'words', 'flood', 'witness']) {
      await change({ keys: { release: [{ env: 'CI_KEY' }, signer(manner, Buffer.from(seed, 'base64'))] } })
      const { code } = await run(['release', '1.0.0', '--json'], env)
      // With another key than the configured one even the good answer is refused.
      assert.equal(code, manner === 'witness' ? 22 : 2, manner)
    }
    const seen = JSON.parse(await readFile(join(dir, 'witness'), 'utf8')) as { env: Record<string, string> }
    assert.ok(seen.env['PATH'] !== undefined && !('MOULT_KEY' in seen.env))
    await assertNothingLeaked()
  })

  test('by a defect in the middle of signing: not in its stack, nor in the diagnostic report', async (t) => {
    const { dir, text, run, assertNothingLeaked } = await makeScene(t)
    const reports = join(dir, 'reports')
    await mkdir(reports)
    const options = `--import=${CRASH} --report-uncaught-exception --report-directory="${reports}" --trace-uncaught`
    const key = { MOULT_KEY: text, MOULT_PASSPHRASE: PASSPHRASE, NODE_OPTIONS: options }
    const thrown = await run(['release', '1.0.0', '--json'], { ...key, MOULT_TEST_CRASH: 'throw' })
    assert.deepEqual([thrown.code, /a deliberate crash while signing/.test(thrown.stderr)], [1, true], thrown.stderr)
    const crashed = await run(['release', '1.0.0'], { ...key, MOULT_TEST_CRASH: 'uncaught' })
    assert.notEqual(crashed.code, 0)
    assert.match(crashed.stderr, /a deliberate crash outside/)
    const [report] = await readdir(reports)
    assert.ok(report !== undefined, 'there was no report to look into')
    assert.match(await readFile(join(reports, report), 'utf8'), /"environmentVariables"/)
    await assertNothingLeaked()
  })

  test('by a key file as an object of the library, however it is printed', () => {
    const seed = new Uint8Array(randomBytes(32))
    const signer = signerOfSeed(seed)
    for (const text of [inspect(signer, { depth: 9, showHidden: true, getters: true }), JSON.stringify(signer)]) {
      assert.equal(findSecret(Buffer.from(text), seed), undefined)
    }
    assert.notEqual(findSecret(Buffer.from(formatKeyFile(seed)), seed), undefined)
  })
})
