// The short form of the soak under a real supervisor; scripts/soak.ts says how the long one is run.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const isAbsent = spawnSync('runsv').error !== undefined
const skip = isAbsent && process.env['CI'] === undefined ? 'runsv is not installed' : false

interface Figures {
  readonly rounds: number
  readonly kills: number
  readonly updates: number
  readonly rolledBack: number
}

for (const { mode, rounds } of [
  { mode: 'embedded', rounds: 10 },
  { mode: 'supervised', rounds: 5 },
]) {
  test(`${rounds} rounds of updates and rollbacks with kills under runit, ${mode}`, { skip }, async (t) => {
    const words = ['--import', 'tsx', 'scripts/soak.ts', '--rounds', String(rounds), '--parallel', '5', '--mode', mode]
    const child = spawn(process.execPath, [...words, '--json'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'close') as Promise<[number]>
    const [out, log, [status]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    assert.equal(status, 0, `${out}${log}`)
    const last = out.trim().split('\n').at(-1) ?? ''
    t.diagnostic(last)
    const figures = JSON.parse(last) as Figures
    assert.equal(figures.rounds, rounds)
    assert.equal(figures.rolledBack, rounds)
    // Kills that come too early, or not at all, would prove nothing.
    assert.ok(figures.kills >= rounds && figures.updates >= rounds, last)
  })
}
