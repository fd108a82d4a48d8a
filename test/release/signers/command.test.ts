import assert from 'node:assert/strict'
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { encodeBase64, isMoultError, type MoultError, verifySignature } from '../../../manifests/index.ts'
import { signDocument } from '../../../release/sign.ts'
import { openCommandSigner } from '../../../release/signers/command.ts'
import { formatPublicKey } from '../../../release/signers/public-key.ts'
import { type Signer, signerOfSeed } from '../../../release/signers/signer.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'

const KMS = fileURLToPath(new URL('../../fixtures/fake-kms.mjs', import.meta.url))
const SEED = new Uint8Array(32).fill(21)
const { publicKey } = signerOfSeed(SEED)
const BYTES = new TextEncoder().encode('{"a":"é"}')

interface Kms {
  readonly dir: string
  readonly open: (manner: string, options?: { timeout?: string; signal?: AbortSignal }) => Promise<Signer>
}

async function makeKms(t: TestContext, seed: Uint8Array = SEED): Promise<Kms> {
  const dir = await realpath(await temporaryFolder(t))
  const seedFile = join(dir, 'kms seed')
  await writeFile(seedFile, Buffer.from(seed).toString('hex'))
  const open: Kms['open'] = (manner, { timeout, signal = new AbortController().signal } = {}) =>
    openCommandSigner(
      {
        command: [process.execPath, KMS, seedFile, manner, join(dir, 'witness')],
        public: encodeBase64(publicKey),
        ...(timeout === undefined ? {} : { timeout }),
      },
      { dir, env: { PATH: process.env['PATH'], REGION: 'here' }, signal },
    )
  return { dir, open }
}

async function errorOf(work: Promise<unknown>): Promise<MoultError> {
  const error: unknown = await work.then(
    () => assert.fail('it signed'),
    (reason: unknown) => reason,
  )
  assert.ok(isMoultError(error) && error.code === 'ERR_CONFIG_KEY', String(error))
  return error
}

test('a command answers with 64 raw bytes, base64, or a line of base64; what it complains about is no part of it', async (t) => {
  const { open } = await makeKms(t)
  for (const manner of ['raw', 'base64', 'line', 'chatty']) {
    const signature = await (await open(manner)).sign(BYTES)
    assert.ok(verifySignature(BYTES, signature, publicKey), manner)
  }
})

test('it gets exactly the bytes on standard input, runs in the project folder, and sees the environment that it is given', async (t) => {
  const { dir, open } = await makeKms(t)
  await (await open('witness')).sign(BYTES)
  const seen = JSON.parse(await readFile(join(dir, 'witness'), 'utf8')) as {
    env: Record<string, string>
    cwd: string
    input: string
  }
  assert.equal(seen.input, Buffer.from(BYTES).toString('hex'))
  assert.equal(seen.cwd, dir)
  assert.deepEqual(
    Object.keys(seen.env)
      .filter((name) => !name.startsWith('__'))
      .toSorted(),
    ['PATH', 'REGION'],
  )
})

const REFUSED: readonly (readonly [manner: string, reason: RegExp])[] = [
  ['twice', /an answer of 90 bytes that is no signature/],
  ['urlsafe', /no signature/],
  ['short', /an answer of 63 bytes/],
  ['words', /an answer of 13 bytes/],
  ['empty', /an answer of 0 bytes/],
  ['flood', /more than 1024 bytes/],
  ['crash', /ended by SIGSEGV/],
  ['deaf', /exit status 4/],
]
for (const [manner, reason] of REFUSED) {
  test(`an answer that is no signature is refused: ${manner}`, async (t) => {
    const { open } = await makeKms(t)
    // The signature of these bytes has a character that is another one in the alphabet for URLs.
    const error = await errorOf((await open(manner)).sign(BYTES))
    assert.match(error.message, reason)
    assert.match(error.hint ?? '', /64 raw bytes or their base64/)
  })
}

test('the end of what a failing command printed is shown, without what a terminal would obey', async (t) => {
  const { open } = await makeKms(t)
  const error = await errorOf((await open('fail')).sign(BYTES))
  const output = String(error.details['output'])
  assert.match(error.message, /exit status 7/)
  assert.match(output, /noise\npermission denied: key\/release\??\n$/)
  assert.ok(output.length <= 4000)
  assert.doesNotMatch(output, /[\u0007\u001B]/)
})

test('a command that hangs is ended after its time, also when it left a process behind that holds the pipes', async (t) => {
  const { dir, open } = await makeKms(t)
  for (const manner of ['hang', 'daemon']) {
    const started = Date.now()
    const error = await errorOf((await open(manner, { timeout: '1s' })).sign(BYTES))
    assert.match(error.message, /no answer in 1s/)
    assert.ok(Date.now() - started < 15_000)
  }
  process.kill(Number(await readFile(join(dir, 'witness'), 'utf8')), 'SIGKILL')
})

test('an interrupted job ends the command at once', async (t) => {
  const { open } = await makeKms(t)
  const stop = new AbortController()
  const signer = await open('hang', { signal: stop.signal })
  setTimeout(() => stop.abort(), 300)
  await assert.rejects(signer.sign(BYTES), { name: 'AbortError' })
})

test('a signature by another key than the configured one is refused before it is used', async (t) => {
  const { open } = await makeKms(t, new Uint8Array(32).fill(22))
  await assert.rejects(
    signDocument({ a: 1 }, ['signatures'], [await open('raw')]),
    failsWith('ERR_TRUST_SIGNATURE', /answer does not verify/),
  )
})

test('a program that is not there, and a public key that is none, are named', async (t) => {
  const dir = await temporaryFolder(t)
  const around = { dir, env: {}, signal: new AbortController().signal }
  const signer = await openCommandSigner({ command: ['./none'], public: encodeBase64(publicKey) }, around)
  assert.match((await errorOf(signer.sign(BYTES))).message, /no such program/)
  await assert.rejects(
    openCommandSigner({ command: ['true'], public: 'kms.pub' }, around),
    failsWith('ERR_CONFIG_KEY', /no such key file/),
  )
  await mkdir(join(dir, 'keys'))
  await writeFile(join(dir, 'keys/kms.pub'), formatPublicKey(publicKey))
  const { keyId } = await openCommandSigner({ command: ['true'], public: 'keys/kms.pub' }, around)
  assert.equal(keyId, signerOfSeed(SEED).keyId)
})
