// The short forms of the soaks; `npm run build` and the scripts themselves give the long ones.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const UPDATES = 20

async function soak(script: string, ...args: string[]): Promise<{ status: number; out: string; log: string }> {
  const words = ['--import', 'tsx', `scripts/${script}`, '--updates', String(UPDATES), '--json', ...args]
  const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number]>
  const [out, log, [status]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { status, out, log }
}

describe('a soak', { timeout: 900_000, concurrency: true }, () => {
  test(`of ${UPDATES} updates by one supervisor ends with the disk, the handles and the memory that it began with`, async (t) => {
    const { status, out, log } = await soak('soak-updates.ts')
    assert.equal(status, 0, `${log}${out}`)
    t.diagnostic(out.trim())
    assert.equal((JSON.parse(out) as { updates: number }).updates, UPDATES)
  })

  test(`of ${UPDATES} updates with kills loses and doubles no heartbeat of the outbox`, async (t) => {
    const { status, out, log } = await soak('soak-outbox.ts', '--agents', '2')
    assert.equal(status, 0, `${log}${out}`)
    t.diagnostic(out.trim())
    const figures = JSON.parse(out) as { updates: number; kills: number; againOnTheWire: number; arrived: number }
    assert.ok(figures.updates >= UPDATES && figures.arrived > 0)
    // Without these two nothing would have been put to the test.
    assert.ok(figures.kills > 0 && figures.againOnTheWire > 0, out)
  })
})
