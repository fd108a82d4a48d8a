// Programs that this machine cannot run, offered for its platform by mistake.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'

import { programOf } from '../../agent/home/receipt.ts'
import { loadState } from '../../agent/home/state.ts'
import { sha256 } from '../../manifests/index.ts'
import {
  artifactOf,
  assertTidy,
  failureOf,
  makeMachine,
  manifestOf,
  NOW,
  type Offer,
  publish,
  startHost,
  whatRuns,
} from './field.ts'

const DAY_MS = 86_400_000
/** A real program: dynamically linked, and it answers `--version`. */
const TRUE = fs.readFileSync(fs.realpathSync('/bin/true'))
const isElf = TRUE.subarray(0, 4).toString('latin1') === '\x7fELF' && TRUE[4] === 2

/** The program as built for a machine that nobody has: no emulator can be registered for it. */
function forAnotherMachine(): Buffer {
  const bytes = Buffer.from(TRUE)
  bytes.writeUInt16LE(0xbeef, 18)
  return bytes
}

/** The program as built for another C library, whose loader is not here. */
function forAnotherLibrary(): Buffer {
  const bytes = Buffer.from(TRUE)
  const loader = /\/lib[\w/.-]*ld-[\w.-]+/.exec(bytes.toString('latin1'))
  assert.ok(loader !== null, 'no loader is named')
  bytes.write('/lib/ld-none.so.1'.padEnd(loader[0].length, '\0'), loader.index, 'latin1')
  return bytes
}

const foreign: Record<string, [make: () => Buffer, reason: RegExp]> = {
  'another processor': [forAnotherMachine, /ENOEXEC|exec format error|exit status|cannot be executed/i],
  'another C library': [forAnotherLibrary, /ENOENT|exit status 127/],
  'another interpreter': [() => Buffer.from('#!/usr/bin/no-such-interpreter\nexit 0\n'), /ENOENT|exit status 127/],
  Windows: [() => Buffer.concat([Buffer.from('MZ'), Buffer.alloc(1000)]), /ENOEXEC|exit status/],
  macOS: [() => Buffer.concat([Buffer.from('cffaedfe0c000001', 'hex'), Buffer.alloc(1000)]), /ENOEXEC|exit status/],
  'nothing, as it is cut off': [() => TRUE.subarray(0, 1000), /signal|SIG|ENOEXEC|exit status|cannot be executed/],
}

describe('a program', { timeout: 240_000, concurrency: true, skip: isElf ? false : 'needs ELF' }, () => {
  for (const [name, [make, reason]] of Object.entries(foreign)) {
    test(`case 59: for ${name} is found out before the swap, and not fetched again for a day`, async (t) => {
      const host = await startHost(t)
      const bad: Offer = { version: '1.0.1', sequence: 10, artifact: make() }
      publish(host, bad)
      const { home, poll, settings } = await makeMachine(t, host)
      const before = whatRuns(home)
      const error = await failureOf(() => poll())
      assert.equal(error.code, 'ERR_STAGE_PREFLIGHT', error.stack)
      assert.match(error.message, reason)
      assert.deepEqual(whatRuns(home), before)
      assertTidy(home)
      assert.deepEqual(fs.readdirSync(home.staging), [])
      assert.equal(loadState(home, settings.root, assert.fail).quarantine[0]?.reason, 'preflight')
      host.drain()
      for (let polls = 0; polls < 3; polls += 1) {
        const again = await poll()
        assert.ok(again.kind === 'checked' && again.decision.kind === 'refuse')
        assert.equal(again.decision.reason, 'quarantined')
      }
      assert.deepEqual(host.drain(), ['version.json', 'version.json', 'version.json'])
      // A loader may have been installed in the meantime.
      await failureOf(() => poll({ deps: { clock: () => NOW + DAY_MS + 1 } }))
      assert.equal(host.drain().at(-1), '1.0.1.bin')
      publish(host, { version: '1.0.1', sequence: 11, artifact: TRUE })
      assert.equal((await poll()).kind, 'swapped')
      assert.deepEqual(fs.readFileSync(programOf(home, '1.0.1') ?? ''), TRUE)
    })
  }

  test('case 59: for other platforms only is no update, and no error that repeats', async (t) => {
    const host = await startHost(t)
    const offer: Offer = { version: '1.0.1', sequence: 10 }
    const binary = { url: '1.0.1.bin', size: artifactOf(offer).length, sha256: sha256(artifactOf(offer)) }
    const { home, poll } = await makeMachine(t, host)
    const before = whatRuns(home)
    const others = { 'linux-mips64': binary, 'freebsd-amd64': binary }
    host.serve('version.json', manifestOf({ ...offer, manifest: { release: { binaries: others } } }))
    for (let polls = 0; polls < 3; polls += 1) {
      const result = await poll()
      assert.ok(result.kind === 'checked' && result.decision.kind === 'refuse')
      assert.equal(result.decision.reason, 'no-platform')
    }
    assert.deepEqual(host.drain(), ['version.json', 'version.json', 'version.json'])
    assert.deepEqual(whatRuns(home), before)
    host.serve('1.0.1.bin', artifactOf(offer))
    host.serve('version.json', manifestOf({ ...offer, sequence: 11 }))
    assert.equal((await poll()).kind, 'swapped')
  })
})
