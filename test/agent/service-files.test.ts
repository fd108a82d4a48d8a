import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { SERVICE_KINDS, serviceFile } from '../../agent/install/service-files.ts'

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

test('what only the supervisor starts gets the only SIGTERM of systemd', () => {
  const place = { name: 'sensor', home: '/opt/sensor', args: [] }
  const supervisor = ['/usr/bin/node', '/usr/bin/moult', 'agent', 'run', '--home', '/opt/sensor']
  assert.match(serviceFile('systemd', { ...place, supervisor }).text, /^KillMode=mixed$/m)
  assert.doesNotMatch(serviceFile('systemd', place).text, /KillMode/)
})

test('a shell reads the arguments in the scripts of runit and s6 as they were given', (t) => {
  const home = workspaceOf(t)
  writeFileSync(join(home, 'launch'), `#!/bin/sh\nprintf '%s|' "$#" "$@"\n`, { mode: 0o755 })
  for (const kind of ['runit', 's6'] as const) {
    const { text } = serviceFile(kind, { name: 'sensor', home, args: ['--flag', AWKWARD_ARG, '', ';#'] })
    const { stdout } = spawnSync('sh', ['-c', text], { encoding: 'utf8' })
    assert.equal(stdout, `4|--flag|${AWKWARD_ARG}||;#|`, kind)
  }
})

test('s6 is told how long to wait before it kills, in a file of its own', () => {
  const { path, beside } = serviceFile('s6', { name: 'sensor', home: '/opt/sensor', args: [] })
  assert.equal(path, '/etc/s6/sensor/run')
  assert.deepEqual(beside, { 'timeout-kill': '45000\n' })
})

test(
  'supervisord hands arguments over whole, those that look like comments too',
  { skip: isMissing('supervisord'), timeout: 60_000 },
  async (t) => {
    const home = workspaceOf(t)
    const seen = join(home, 'seen')
    const launcher = `#!/bin/sh\nprintf '%s|' "$#" "$@" > '${seen}.new' && mv '${seen}.new' '${seen}'\nexec sleep 60\n`
    writeFileSync(join(home, 'launch'), launcher, { mode: 0o755 })
    const args = ['--flag', AWKWARD_ARG, ' ; # ;', '%(here)s', '']
    const { text } = serviceFile('supervisord', { name: 'sensor', home, args })
    const config = join(home, 'supervisord.conf')
    const own = `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${home}/pid\nchildlogdir=${home}\n`
    writeFileSync(config, own + text)
    const daemon = spawn('supervisord', ['-c', config], { stdio: 'ignore' })
    const ended = once(daemon, 'exit')
    try {
      for (let waitedMs = 0; !existsSync(seen) && waitedMs < 30_000; waitedMs += 50) await sleep(50)
      assert.equal(readFileSync(seen, 'utf8'), `${args.length}|${args.join('|')}|`)
    } finally {
      daemon.kill('SIGTERM')
      await ended
    }
  },
)

test('supervisord gives up after no number of crashes that a trial can have, and waits for an agent that drains', () => {
  const { text, path } = serviceFile('supervisord', { name: 'sensor', home: '/opt/sensor', user: 'sensor', args: [] })
  const lines = text.split('\n')
  assert.equal(path, '/etc/supervisor/conf.d/sensor.conf')
  for (const line of ['command=/opt/sensor/launch', 'user=sensor', 'autorestart=true', 'startretries=1000000']) {
    assert.ok(lines.includes(line), line)
  }
  assert.ok(lines.includes('stopwaitsecs=45'))
})

test('a command with a line feed, which could smuggle in a setting, is refused', () => {
  for (const kind of SERVICE_KINDS) {
    for (const args of [['a\nUser=root'], ['a\u0000'], ['a\rb']]) {
      assert.throws(() => serviceFile(kind, { name: 'sensor', home: '/opt/sensor', args }), {
        code: 'ERR_USAGE_INVALID',
      })
    }
    assert.ok(serviceFile(kind, { name: 'sensor', home: '/opt/sensor', args: ['a\u00a0User=root'] }))
  }
})

test('the pod starts from the home in its image, keeps its own on a volume, and has the launcher stay', () => {
  const { text } = serviceFile('pod', { name: 'sensor', home: '/build/home', args: ['--flag', 'at $(HOME)'] })
  assert.match(text, /restartPolicy: Always/)
  assert.match(text, /command: \["\/opt\/sensor\/launch","--flag","at \$\$\(HOME\)"\]/)
  assert.match(text, /name: MOULT_LAUNCH\n\s+value: stay/)
  // The kubelet makes the top of a volume writable for everybody, and that is no home.
  assert.match(text, /name: MOULT_VOLUME\n\s+value: "\/moult\/sensor"/)
  assert.match(text, /mountPath: \/moult\n/)
  const awkward = serviceFile('pod', { name: 'a.sensor_', home: '/build/home', args: [] }).text
  assert.match(awkward, /name: "a-sensor"\nspec/)
})
