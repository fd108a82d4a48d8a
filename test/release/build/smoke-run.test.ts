import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { platformOf } from '../../../manifests/platform.ts'
import { mentionsVersion, smokeRun } from '../../../release/build/smoke-run.ts'
import { elf } from './synthetic-executables.ts'

const HOST = platformOf(process.platform, process.arch)

let directory = ''
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'moult-smoke-'))
})
after(() => rm(directory, { recursive: true, force: true }))

async function program(text: string | Uint8Array): Promise<string> {
  const path = join(directory, `program-${Math.random()}`)
  await writeFile(path, text)
  await chmod(path, 0o755)
  return path
}

test('a program that prints its version passes', async () => {
  const path = await program('#!/bin/sh\necho "agent v1.2.3 ($1)" >&2\n')
  assert.deepEqual(await smokeRun(path, HOST, '1.2.3'), { ran: true, how: 'native' })
})

test('another version, no output, a failure and a missing interpreter are errors with the output in the message', async () => {
  const faults: Array<[text: string, message: RegExp]> = [
    ['#!/bin/sh\necho 1.2.30\n', /the version 1\.2\.3 is not in its output: 1\.2\.30$/],
    ['#!/bin/sh\n', /not in its output: \(no output\)$/],
    ['#!/bin/sh\necho 1.2.3; echo oh no >&2; exit 3\n', /exit status 3: 1\.2\.3\noh no$/],
    ['#!/bin/sh\nkill -SEGV $$\n', /killed by SIGSEGV/],
    ['#!/nowhere/at/all\n', /ENOENT/],
  ]
  for (const [text, message] of faults) {
    await assert.rejects(smokeRun(await program(text), HOST, '1.2.3'), { code: 'ERR_BUILD_FAILED', message })
  }
})

test('a program that hangs is ended together with its children', async () => {
  const marker = join(directory, 'survived')
  const path = await program(`#!/bin/sh\n(sleep 1; touch ${marker}) &\nsleep 30\n`)
  const start = Date.now()
  await assert.rejects(smokeRun(path, HOST, '1.2.3', { timeoutMs: 300 }), { message: /no end within 0\.3 s/ })
  assert.ok(Date.now() - start < 5000)
  await sleep(1200)
  await assert.rejects(
    import('node:fs/promises').then(({ access }) => access(marker)),
    { code: 'ENOENT' },
  )
})

test('a child that stays behind does not hold the run up', async () => {
  const path = await program('#!/bin/sh\nsleep 30 &\necho 1.2.3\n')
  const start = Date.now()
  await smokeRun(path, HOST, '1.2.3')
  assert.ok(Date.now() - start < 5000)
})

test('the program sees neither NODE_OPTIONS nor other secrets of the environment', async () => {
  process.env['NODE_OPTIONS_TEST_SECRET'] = 'visible'
  process.env['NODE_OPTIONS'] = '--no-warnings'
  try {
    const path = await program(
      '#!/bin/sh\necho 1.2.3\ntest -z "$NODE_OPTIONS$NODE_OPTIONS_TEST_SECRET" && test "$GIVEN" = yes\n',
    )
    assert.equal((await smokeRun(path, HOST, '1.2.3', { env: { GIVEN: 'yes' } })).ran, true)
  } finally {
    delete process.env['NODE_OPTIONS']
    delete process.env['NODE_OPTIONS_TEST_SECRET']
  }
})

test('what cannot run here is skipped and says why', async () => {
  const path = await program(elf(0xb7))
  assert.deepEqual(await smokeRun(path, 'darwin-arm64', '1.2.3', { host: 'linux-amd64' }), {
    ran: false,
    how: 'skipped',
    reason: 'a program for darwin-arm64 does not run on linux-amd64',
  })
  const oldPath = process.env['PATH']
  process.env['PATH'] = directory
  try {
    const { how, reason } = await smokeRun(path, 'linux-arm64', '1.2.3', { host: 'linux-amd64' })
    assert.deepEqual([how, reason], ['skipped', 'qemu-aarch64-static is not installed'])
  } finally {
    process.env['PATH'] = oldPath
  }
})

test('a script of the same system runs whatever its processor', async () => {
  const path = await program('#!/bin/sh\necho 1.2.3\n')
  assert.equal((await smokeRun(path, `${HOST.split('-')[0]}-riscv64`, '1.2.3')).how, 'native')
})

test('an abort ends the run', async () => {
  const path = await program('#!/bin/sh\nsleep 30\n')
  await assert.rejects(smokeRun(path, HOST, '1.2.3', { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' })
})

test('a version counts only as a whole', () => {
  for (const output of [
    '1.2.3',
    'v1.2.3',
    'agent 1.2.3.',
    'agent-1.2.3 (linux)',
    'agent/1.2.3\n',
    '{"version":"1.2.3"}',
  ]) {
    assert.equal(mentionsVersion(output, '1.2.3'), true, output)
  }
  for (const output of ['11.2.3', '0.1.2.3', '1.2.30', '1.2.3-beta.1', '1.2.3+build', '1.2.3.4', '1x2.3', '']) {
    assert.equal(mentionsVersion(output, '1.2.3'), false, output)
  }
  assert.equal(mentionsVersion('agent 1.2.3-rc.1+b5', '1.2.3-rc.1+b5'), true)
})
