import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'

import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { fetchNodeRuntime } from '../../release/build/node-runtime.ts'
import { startAgentProcess } from './agent-process.ts'
import { makeMachine, PLATFORM, program, publish, startHost } from './field.ts'

const LAUNCHER = fileURLToPath(new URL('../../agent/launcher/launch.sh', import.meta.url))

/** A Node that can replace its process: that of the test, or the one that releases are built with, from its cache. */
async function nodeWithExecve(t: TestContext): Promise<string | undefined> {
  if ('execve' in process) return process.execPath
  try {
    const { path } = await fetchNodeRuntime({ platform: PLATFORM })
    if (spawnSync(path, ['-p', 'typeof process.execve'], { encoding: 'utf8' }).stdout === 'function\n') return path
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error
  }
  assert.equal(process.env['CI'], undefined, 'no Node with process.execve can be had')
  t.skip('no Node with process.execve can be had here')
  return undefined
}

test('exec becomes the launcher with the same pid, arguments and output, and the try is counted', async (t) => {
  const node = await nodeWithExecve(t)
  if (node === undefined) return
  const host = await startHost(t)
  // More than a pipe holds: what writes plainly must not meet one that was left non-blocking.
  const body =
    'echo "try $MOULT_TRIAL of $MOULT_VERSION, pid $$, with $# arguments: $1, $2"; head -c 300000 /dev/zero | tr "\\0" x; echo; echo end'
  publish(host, { version: '1.0.1', artifact: program('1.0.1', body) })
  const machine = await makeMachine(t, host)
  fs.copyFileSync(LAUNCHER, machine.home.launch)
  fs.chmodSync(machine.home.launch, 0o755)
  const agent = startAgentProcess(t, machine, {
    node,
    args: ['--port', 'two words'],
    env: { MOULT_HOME: machine.home.path, MOULT_VERSION: '1.0.0', MOULT_TRIAL: '3' },
    settings: { restart: { method: 'exec' } },
    options: "beforeRestart: () => console.log('drained'),",
  })
  assert.deepEqual(await agent.ended, { code: 0, signal: null })
  assert.ok(agent.has(/^drained$/) && !agent.has(/"kind":"warning"/), agent.lines.join('\n'))
  await agent.line(new RegExp(`^try 1 of 1\\.0\\.1, pid ${agent.child.pid}, with 2 arguments: --port, two words$`))
  assert.equal(agent.lines.find((line) => line.startsWith('xxx'))?.length, 300_000)
  assert.equal(agent.lines.at(-1), 'end')
  assert.deepEqual(readLaunchRecord(machine.home.current)?.trial, { started: 1, tries: 3 })
})

test('exec exits with 100 when the launcher cannot be run', async (t) => {
  const node = await nodeWithExecve(t)
  if (node === undefined) return
  const host = await startHost(t)
  publish(host, { version: '1.0.1' })
  const machine = await makeMachine(t, host)
  const agent = startAgentProcess(t, machine, { node, settings: { restart: { method: 'exec' } } })
  assert.equal((await agent.ended).code, 100)
  await agent.line(/the launcher cannot be run: ENOENT/)
})
