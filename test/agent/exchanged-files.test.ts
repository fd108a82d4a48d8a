// Someone who can write to staging exchanges what lies there as fast as a process can, while updates go on.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { prepareLaunch } from '../../agent/trial/launch.ts'
import { isMoultError, sha256 } from '../../manifests/index.ts'
import { artifactOf, makeDir, makeMachine, type Offer, program, publish, startHost, waitFor } from './field.ts'

const ROUNDS = 5
const OFFER: Offer = {
  version: '1.0.1',
  sequence: 10,
  artifact: Buffer.concat([program('1.0.1'), Buffer.alloc(1_000_000, '#')]),
}
const EVIL = Buffer.concat([program('6.6.6'), Buffer.alloc(1_000_000, '#')]).subarray(0, artifactOf(OFFER).length)

/** What the attacker does to one file; `evil` is a file of the same size on the same disk. */
const ATTACKS: Record<string, string> = {
  'another file by a rename': 'fs.copyFileSync(evil, spare); fs.renameSync(spare, path)',
  'another file that appears bit by bit': 'fs.copyFileSync(evil, path)',
  'a symbolic link': 'fs.symlinkSync(evil, spare); fs.renameSync(spare, path)',
  'a hard link': 'fs.linkSync(evil, spare); fs.renameSync(spare, path)',
  'one letter in it': `const file = fs.openSync(path, 'r+'); fs.writeSync(file, '9', 40); fs.closeSync(file)`,
}

interface Attacker {
  /** Times that it has exchanged something. */
  readonly count: () => number
  readonly stop: () => Promise<void>
}

async function startAttacker(t: TestContext, staging: string, attack: string): Promise<Attacker> {
  const dir = join(staging, '../../evil')
  fs.mkdirSync(dir)
  fs.writeFileSync(join(dir, 'evil'), EVIL, { mode: 0o755 })
  const script = `
    const fs = require('node:fs'), { join } = require('node:path')
    const [staging, evil, spare] = ${JSON.stringify([staging, join(dir, 'evil'), join(dir, 'spare')])}
    const strike = (path) => {
      try {
        if (!fs.lstatSync(path).isFile()) return
        ${attack}
        process.stdout.write('.')
      } catch { fs.rmSync(spare, { force: true }) }
    }
    process.stdout.write('.')
    for (;;) {
      for (const name of fs.readdirSync(staging)) {
        if (name.endsWith('.staged')) strike(join(staging, name, 'heartbeat-agent'))
        else strike(join(staging, name))
      }
    }`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => child.kill('SIGKILL'))
  let strikes = 0
  child.stdout.on('data', (chunk: Buffer) => (strikes += chunk.length))
  await waitFor(() => strikes > 0, 'the attacker')
  return {
    count: () => strikes - 1,
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}

describe('what lies in staging', { timeout: 240_000 }, () => {
  for (const [name, attack] of Object.entries(ATTACKS)) {
    test(`case 58: is installed as it was signed, or not started, though someone puts there ${name}`, async (t) => {
      const host = await startHost(t)
      publish(host, OFFER)
      const good = [sha256(artifactOf(OFFER)), sha256(program('1.0.0'))]
      let strikes = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        // Not run once before the swap: what that would run can be exchanged in the same moment.
        const machine = await makeMachine(t, host, { preflight: [] }, join(makeDir(t), 'home'))
        const { home } = machine
        const attacker = await startAttacker(t, home.staging, attack)
        const outcome = await machine.poll().catch((error: unknown) => {
          assert.ok(isMoultError(error), String(error))
          assert.match(error.code, /^ERR_(?:BYTES|STAGE)_/, error.stack)
          return error
        })
        if (isMoultError(outcome)) assert.match(fs.readFileSync(home.current, 'utf8'), /^version=1\.0\.0\n/)
        // A write that began before the version got its name may still go on after that.
        await attacker.stop()
        strikes += attacker.count()
        const launch = prepareLaunch(home, () => undefined)
        assert.ok(good.includes(sha256(fs.readFileSync(launch.program))), `${launch.version} is not what was signed`)
      }
      assert.ok(strikes > 0, 'nothing was exchanged')
      const { poll } = await makeMachine(t, host)
      assert.equal((await poll()).kind, 'swapped')
    })
  }
})
