import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { serviceFile } from '../../agent/install/service-files.ts'

const AWKWARD_ARG = `a 'b' "c" $HOME %n \\`

function workspaceOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'moult service '))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function isMissing(program: string): string | false {
  return spawnSync('which', [program]).status === 0 ? false : `${program} is not installed`
}

test(
  'the systemd unit passes systemd-analyze, home and arguments with odd characters included',
  { skip: isMissing('systemd-analyze') },
  (t) => {
    const home = workspaceOf(t)
    writeFileSync(join(home, 'launch'), '#!/bin/sh\n', { mode: 0o755 })
    const unit = join(home, 'sensor.service')
    writeFileSync(
      unit,
      serviceFile('systemd', { name: 'sensor', home, user: 'root', args: ['--flag', AWKWARD_ARG] }).text,
    )
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
    const aboutUnit = stderr.split('\n').filter((line) => line.includes('sensor.service'))
    assert.deepEqual(aboutUnit, [])
    assert.equal(status, 0, stderr)
  },
)

test('the systemd unit restarts after 100 and after crashes, and never reaches a start limit', () => {
  const { text } = serviceFile('systemd', { name: 'sensor', home: '/opt/sensor', args: [] })
  const lines = text.split('\n')
  for (const line of [
    'ExecStart=/opt/sensor/launch',
    'Restart=always',
    'StartLimitIntervalSec=0',
    'ReadWritePaths=/opt/sensor',
  ]) {
    assert.ok(lines.includes(line), line)
  }
  assert.equal(
    lines.some((line) => line.startsWith('MemoryDenyWriteExecute')),
    false,
  )
})

test(
  'runit runs the launcher, starts it again after 100, and hands arguments over whole',
  { skip: isMissing('runsv'), timeout: 60_000 },
  async (t) => {
    const home = workspaceOf(t)
    const starts = join(home, 'starts')
    const launcher = `#!/bin/sh\nprintf '%s|%s\\n' "$#" "$2" >> '${starts}'\n[ "$(wc -l < '${starts}')" -ge 2 ] && exec sleep 60\nexit 100\n`
    writeFileSync(join(home, 'launch'), launcher, { mode: 0o755 })
    const service = join(home, 'sv')
    mkdirSync(service)
    const { text, mode } = serviceFile('runit', { name: 'sensor', home, args: ['--flag', AWKWARD_ARG] })
    writeFileSync(join(service, 'run'), text, { mode })
    // A group of its own: whatever state it is in, one signal ends it with all that it has started.
    const runsv = spawn('runsv', [service], { stdio: 'ignore', detached: true })
    const ended = once(runsv, 'exit')
    const linesOf = (): string[] => {
      try {
        return readFileSync(starts, 'utf8').split('\n').slice(0, -1)
      } catch {
        return []
      }
    }
    try {
      for (let waitedMs = 0; linesOf().length < 2 && waitedMs < 30_000; waitedMs += 50) await sleep(50)
      assert.deepEqual(linesOf(), [`2|${AWKWARD_ARG}`, `2|${AWKWARD_ARG}`])
    } finally {
      // Not in a hook: the one that removes the directory would come first, and fail while runsv writes in there.
      if (runsv.pid !== undefined && runsv.exitCode === null) process.kill(-runsv.pid, 'SIGKILL')
      await ended
    }
  },
)

test('the pod keeps home on a volume and has the launcher stay', () => {
  const { text } = serviceFile('pod', { name: 'sensor', home: '/moult', args: ['--flag'] })
  assert.match(text, /restartPolicy: Always/)
  assert.match(text, /command: \["\/moult\/launch","--flag"\]/)
  assert.match(text, /name: MOULT_LAUNCH\n\s+value: stay/)
  assert.match(text, /mountPath: "\/moult"/)
  // The kubelet makes the top of a volume writable for everybody, and that is no home.
  assert.match(serviceFile('pod', { name: 'sensor', home: '/data/moult', args: [] }).text, /mountPath: "\/data"/)
})
