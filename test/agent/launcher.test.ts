// The launcher is a shell script, so every test runs it as a supervisor does: a real process on a real home directory.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { mountTmpfs } from './field.ts'
import {
  type CrashPoint,
  folderOf,
  inParallel,
  installVersion,
  killAt,
  launch,
  LAUNCHER,
  launcherWith,
  type LaunchOptions,
  locate,
  newHome,
  pathOf,
  ranVersion,
  readRecord,
  recordText,
  type Shell,
  SHELLS,
  TOOLS,
  waitFor,
  writeRecord,
} from './shell-launcher.ts'

// --- the table -----------------------------------------------------------------------------------------------------

const CURRENT = ['fine', 'absent', 'empty', 'truncated', 'garbage', 'not installed', 'path'] as const
const CONFIRMED = ['fine', 'absent', 'garbage'] as const
const PREVIOUS = ['usable', 'unusable', 'unnamed'] as const
const TRIAL = ['unnamed', '0', '2', '3', '7', 'x', '-1', '08', ''] as const

interface State {
  readonly current: (typeof CURRENT)[number]
  readonly confirmed: (typeof CONFIRMED)[number]
  readonly previous: (typeof PREVIOUS)[number]
  readonly trial: (typeof TRIAL)[number]
}

const STATES: readonly State[] = CURRENT.flatMap((current) =>
  CONFIRMED.flatMap((confirmed) =>
    PREVIOUS.flatMap((previous) => TRIAL.map((trial) => ({ current, confirmed, previous, trial }))),
  ),
)

/** 2.0.0 is the current version, 1.0.0 the previous, 0.9.0 the confirmed, 0.9.5 merely lies there as the newest. */
function buildState(home: string, state: State): void {
  if (state.current !== 'not installed') installVersion(home, '2.0.0')
  if (state.previous === 'usable') installVersion(home, '1.0.0')
  installVersion(home, '0.9.0')
  installVersion(home, '0.9.5')
  for (const version of fs.readdirSync(join(home, 'versions'))) {
    const seconds = version === '0.9.5' ? 2_000 : 1_000
    fs.utimesSync(join(home, 'versions', version, '.receipt'), seconds, seconds)
  }
  const text = recordText({
    ...(state.trial === 'unnamed' ? {} : { trial: state.trial }),
    version: state.current === 'path' ? '../2.0.0' : '2.0.0',
    ...(state.previous === 'unnamed' ? {} : { previous: '1.0.0' }),
  })
  if (state.current === 'empty') fs.writeFileSync(join(home, 'current'), '')
  else if (state.current === 'truncated') fs.writeFileSync(join(home, 'current'), text.slice(0, -5))
  else if (state.current === 'garbage') fs.writeFileSync(join(home, 'current'), '\0\u00ff{"version":"2.0.0"}\0\nend\n')
  else if (state.current !== 'absent') fs.writeFileSync(join(home, 'current'), text)
  if (state.confirmed === 'fine') writeRecord(home, { version: '0.9.0' }, 'confirmed')
  if (state.confirmed === 'garbage') fs.writeFileSync(join(home, 'confirmed'), 'version=0.9.0\n')
}

interface Expectation {
  readonly runs: string
  readonly trial: string
  /** Absent: the file stays as it is, byte for byte. */
  readonly record?: Record<string, string>
}

function expectation(state: State): Expectation {
  const fallback = state.confirmed === 'fine' ? '0.9.0' : '0.9.5'
  const believed = state.current === 'fine' || state.current === 'not installed'
  if (!believed) return { runs: fallback, trial: 'unset' }
  const installed = state.current === 'fine'
  const hasPrevious = state.previous === 'usable'
  if (state.trial === 'unnamed') {
    return { runs: installed ? '2.0.0' : hasPrevious ? '1.0.0' : fallback, trial: 'unset' }
  }
  const tried = { '0': 0, '2': 2, '3': 3, '7': 7 }[state.trial as string] ?? 0
  if (!installed || tried >= 3) {
    const proven = hasPrevious ? '1.0.0' : state.confirmed === 'fine' ? '0.9.0' : undefined
    if (installed && proven === undefined) return { runs: '2.0.0', trial: `${tried + 1}` }
    const runs = proven ?? fallback
    const record = { version: runs, failed: '2.0.0', reason: installed ? 'tries' : 'missing' }
    return { runs, trial: 'unset', record }
  }
  const previous = state.previous === 'unnamed' ? {} : { previous: '1.0.0' }
  return {
    runs: '2.0.0',
    trial: `${tried + 1}`,
    record: { version: '2.0.0', ...previous, trial: `${tried + 1}`, tries: '3' },
  }
}

async function checkState(shell: Shell, state: State): Promise<void> {
  const home = newHome('home', [])
  buildState(home, state)
  const file = join(home, 'current')
  const before = fs.existsSync(file) ? fs.readFileSync(file) : undefined
  const outcome = await launch(shell, home)
  const expected = expectation(state)
  const about = `${JSON.stringify(state)}\n${outcome.stdout}${outcome.stderr}`
  assert.equal(ranVersion(outcome), expected.runs, about)
  assert.equal(outcome.facts('ran').length, 1, about)
  assert.equal(outcome.fact('version'), expected.runs, about)
  assert.equal(outcome.fact('trial'), expected.trial, about)
  assert.equal(outcome.status, 0, about)
  if (expected.record === undefined) {
    assert.deepEqual(fs.existsSync(file) ? fs.readFileSync(file) : undefined, before, about)
  } else {
    assert.deepEqual(readRecord(home), expected.record, about)
    assert.equal(fs.statSync(file).mode & 0o777, 0o644, about)
    assert.deepEqual(outcome.facts('saw'), fs.readFileSync(file, 'utf8').trimEnd().split('\n'), about)
  }
  const ordinary = expected.runs === '2.0.0' && !['3', '7'].includes(state.trial)
  assert.equal(outcome.stderr === '', ordinary, about)
  assert.equal(fs.existsSync(join(home, 'current.new')), false, about)
  fs.rmSync(home, { recursive: true })
}

const CRASH_POINTS: readonly CrashPoint[] = ['rm 1', 'chmod 1', 'sync 1', 'mv 1', 'sync 2'].flatMap((step) => {
  const [tool = '', nth] = step.split(' ')
  return (['before', 'after'] as const).map((when) => ({ tool, nth: Number(nth), when }))
})

// --- the tests -----------------------------------------------------------------------------------------------------

for (const shell of SHELLS) {
  describe(`the launcher under ${shell.name}`, { skip: shell.skip, concurrency: true }, () => {
    test(`gives the answer of the model in all ${STATES.length} states of the files`, async () => {
      await inParallel(STATES, (state) => checkState(shell, state))
    })

    test('runs the version with the arguments, environment, directory and standard input it was given', async () => {
      const home = newHome('a home  with "odd" $names')
      installVersion(home, '1.0.1', 'read -r line; echo "input=$line"', 'bin dir/the agent')
      writeRecord(home, { version: '1.0.1' })
      const args = ['two words', '', '*', '$(echo no)', "it's"]
      for (const MOULT_LAUNCH of ['', 'stay']) {
        const env = { MOULT_LAUNCH, MOULT_TRIAL: '9', MOULT_HOME: '/elsewhere', entry: 'mine' }
        const outcome = await launch(shell, home, { args, env, cwd: '/usr', input: 'hello\n' })
        assert.equal(outcome.stderr, '')
        assert.deepEqual(outcome.facts('argument'), args)
        assert.equal(outcome.fact('ran'), '1.0.1/bin dir/the agent')
        assert.equal(outcome.fact('home'), home)
        assert.equal(outcome.fact('launcher'), '1')
        assert.equal(outcome.fact('trial'), 'unset')
        assert.equal(outcome.fact('leak'), 'mine')
        assert.equal(outcome.fact('cwd'), '/usr')
        assert.equal(outcome.fact('input'), 'hello')
      }
    })

    test('finds home by a relative path, by the bare name, and by MOULT_HOME when called through a link', async () => {
      const home = newHome('-home')
      writeRecord(home, { version: '1.0.1' })
      const parent = join(home, '..')
      const link = join(folderOf('link'), 'launch')
      fs.symlinkSync(join(home, 'launch'), link)
      const calls: LaunchOptions[] = [
        { cwd: parent, script: './-home/launch', env: { CDPATH: '/usr:/' } },
        { cwd: home, script: 'launch', env: { MOULT_HOME: '/elsewhere' } },
        { script: link, env: { MOULT_HOME: home } },
      ]
      for (const call of calls) {
        const outcome = await launch(shell, home, call)
        assert.equal(outcome.fact('home'), home, outcome.stderr)
        assert.equal(outcome.fact('ran'), '1.0.1/bin/agent')
      }
      const plain = newHome('usr') // CDPATH=/ would lead to another directory of that name
      writeRecord(plain, { version: '1.0.1' })
      const call = { cwd: join(plain, '..'), script: 'usr/launch', env: { CDPATH: '/' } }
      assert.equal((await launch(shell, plain, call)).fact('home'), plain)
      const lost = await launch(shell, home, { script: link })
      assert.equal(lost.status, 78)
      assert.match(lost.stderr, /set MOULT_HOME/)
    })

    test('gives its process to the version, and its exit status', async () => {
      const home = newHome()
      installVersion(home, '1.0.1', 'exit 42')
      writeRecord(home, { version: '1.0.1' })
      const outcome = await launch(shell, home)
      assert.equal(outcome.fact('pid'), `${outcome.pid}`)
      assert.equal(outcome.status, 42)
      installVersion(home, '1.0.1', 'kill -TERM $$')
      assert.equal((await launch(shell, home)).signal, 'SIGTERM')
      assert.equal((await launch(shell, home, { env: { MOULT_LAUNCH: 'stay' } })).status, 143)
    })

    test('ends with 78 and says so when no version can be started', async () => {
      const home = newHome('home', [])
      writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
      const outcome = await launch(shell, home)
      assert.equal(outcome.status, 78)
      assert.match(outcome.stderr, /^moult-launch: no version in .* can be started/m)
      assert.equal((await launch(shell, home, { env: { MOULT_LAUNCH: 'stay' } })).status, 78)
    })

    test('does not start a version that is damaged on disk, whatever the damage', async () => {
      const damages: Record<string, (home: string, program: string, receipt: string) => void> = {
        'no receipt': (_home, _program, receipt) => fs.rmSync(receipt),
        'empty receipt': (_home, _program, receipt) => fs.writeFileSync(receipt, ''),
        'receipt is a directory': (_home, _program, receipt) => {
          fs.rmSync(receipt)
          fs.mkdirSync(receipt)
        },
        'no program': (_home, program) => fs.rmSync(program),
        'empty program': (_home, program) => fs.truncateSync(program),
        'not executable': (_home, program) => fs.chmodSync(program, 0o644),
        'program is a directory': (_home, program) => {
          fs.rmSync(program)
          fs.mkdirSync(program)
        },
        'entry climbs': (_home, _program, receipt) => fs.writeFileSync(receipt, 'entry=../1.0.0/bin/agent\n'),
        'entry climbs later': (_home, _program, receipt) => fs.writeFileSync(receipt, 'entry=bin/../bin/agent\n'),
        'entry is absolute': (_home, program, receipt) => fs.writeFileSync(receipt, `entry=${program}\n`),
        'entry is absolute in its folder': (_home, _program, receipt) =>
          fs.writeFileSync(receipt, 'entry=/bin/agent\n'),
        'entry is empty': (_home, _program, receipt) => fs.writeFileSync(receipt, 'entry=\n'),
      }
      for (const [damage, inflict] of Object.entries(damages)) {
        const home = newHome()
        const program = installVersion(home, '1.0.1')
        inflict(home, program, join(home, 'versions/1.0.1/.receipt'))
        writeRecord(home, { version: '1.0.1', previous: '1.0.0' })
        const outcome = await launch(shell, home)
        assert.equal(ranVersion(outcome), '1.0.0', damage)
        assert.match(outcome.stderr, /falling back to version 1\.0\.0/, damage)
        assert.deepEqual(readRecord(home), { version: '1.0.1', previous: '1.0.0' }, damage)
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 1 })
        assert.equal(ranVersion(await launch(shell, home)), '1.0.0', damage)
        assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '1.0.1', reason: 'missing' }, damage)
      }
    })

    test('believes a receipt without a final newline, and starts any well-formed version name', async () => {
      const home = newHome('home', [])
      for (const version of ['1', '1.0.0-rc.1+build.5', '-v', 'x'.repeat(128)]) {
        installVersion(home, version)
        fs.writeFileSync(join(home, 'versions', version, '.receipt'), 'entry=bin/agent')
        writeRecord(home, { version })
        const outcome = await launch(shell, home)
        assert.equal(ranVersion(outcome), version)
        assert.equal(outcome.stderr, '')
      }
    })

    test('takes a record for damaged unless it is whole, ends with its end line and names a version', async () => {
      const good = recordText({ version: '1.0.1', previous: '1.0.0' })
      const damaged = [
        ...Array.from({ length: good.length }, (_unused, length) => good.slice(0, length)),
        `${good}version=1.0.1\n`,
        `${good}x`,
        `${good}end\n`,
        good.replaceAll('\n', '\r\n'),
        good.replace('end', 'END'),
        good.replace('version=', 'version ='),
        ...[
          '',
          '.',
          '..',
          '.hidden',
          '../1.0.1',
          '1.0.1/../1.0.0',
          '1.0.1 ',
          ' 1.0.1',
          '1.0.1=',
          'é',
          '*',
          '$(id)',
        ].map((version) => recordText({ version })),
        recordText({ version: 'x'.repeat(129) }),
        recordText({ previous: '1.0.1' }),
      ]
      await inParallel(damaged, async (text) => {
        const home = newHome('home', ['0.9.0', '1.0.0', '1.0.1', 'x'.repeat(128)])
        writeRecord(home, { version: '0.9.0' }, 'confirmed')
        fs.writeFileSync(join(home, 'current'), text)
        const outcome = await launch(shell, home)
        assert.equal(ranVersion(outcome), '0.9.0', JSON.stringify(text))
        assert.match(outcome.stderr, /the launch record is absent or damaged/)
        assert.equal(fs.readFileSync(join(home, 'current'), 'utf8'), text)
      })
    })

    test('is not stopped by a record that is a directory or a pipe, nor by what lies at current.new', async () => {
      const home = newHome()
      writeRecord(home, { version: '1.0.0' }, 'confirmed')
      fs.mkdirSync(join(home, 'current'))
      assert.equal(ranVersion(await launch(shell, home)), '1.0.0')
      fs.rmdirSync(join(home, 'current'))
      spawnSync('mkfifo', [join(home, 'current')])
      assert.equal(ranVersion(await launch(shell, home)), '1.0.0')
      fs.rmSync(join(home, 'current'))

      writeRecord(home, { version: '1.0.1', trial: 0 })
      const victim = join(home, 'victim')
      fs.writeFileSync(victim, 'precious')
      fs.symlinkSync(victim, join(home, 'current.new'))
      assert.equal((await launch(shell, home)).fact('trial'), '1')
      spawnSync('mkfifo', [join(home, 'current.new')])
      assert.equal((await launch(shell, home)).fact('trial'), '2')
      assert.equal(fs.readFileSync(victim, 'utf8'), 'precious')
      assert.deepEqual(readRecord(home), { version: '1.0.1', trial: '2', tries: '3' })
    })

    test('keeps what the record says while it counts, leaves out what it does not know, and reads any order', async () => {
      const home = newHome()
      const known = { reason: 'health', tries: '5', failed: '0.9.9', previous: '1.0.0', trial: '3', version: '1.0.1' }
      writeRecord(home, { color: '$(touch /tmp/no)', ...known, note: '`x`' })
      const outcome = await launch(shell, home)
      assert.deepEqual(readRecord(home), { ...known, trial: '4' })
      assert.equal(outcome.fact('trial'), '4')
      const odd = { version: '1.0.1', previous: '../1.0.0', trial: '1', tries: 'many', failed: 'a b', reason: 'x' }
      writeRecord(home, odd)
      await launch(shell, home)
      assert.deepEqual(readRecord(home), { version: '1.0.1', trial: '2', tries: '3' })
    })

    test('goes back to the previous version after the last try, and stays there', async () => {
      const home = newHome()
      installVersion(home, '1.0.1', 'exit 7')
      writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0, tries: 3 })
      for (const count of ['1', '2', '3']) {
        const outcome = await launch(shell, home)
        assert.equal(outcome.status, 7)
        assert.equal(outcome.fact('trial'), count)
        assert.ok(outcome.facts('saw').includes(`trial=${count}`), 'the try is on record before the version runs')
        assert.equal(outcome.stderr, '')
      }
      const rolledBack = { version: '1.0.0', failed: '1.0.1', reason: 'tries' }
      for (const note of [/1\.0\.1 has failed \(tries\), going back to 1\.0\.0/, /^$/]) {
        const outcome = await launch(shell, home)
        assert.equal(ranVersion(outcome), '1.0.0')
        assert.match(outcome.stderr, note)
        assert.deepEqual(readRecord(home), rolledBack)
      }
    })

    test('case 79: however a version on trial ends, the supervisor has the one before after three starts', async () => {
      const programs: Readonly<Record<string, string | Buffer>> = {
        'exits 1 at once': '#!/bin/sh\nexit 1\n',
        'exits 0 at once': '#!/bin/sh\nexit 0\n',
        'exits 100 with no update': '#!/bin/sh\nexit 100\n',
        'is killed by a segmentation fault': '#!/bin/sh\nkill -s SEGV $$\n',
        'has an interpreter that is not there': '#!/no/such/interpreter\n',
        'is no program at all': Buffer.from([0x7f, 0x45, 0x4c, 0x46, 9, 9, 9, 0, 0, 10, 255, 254, 0, 10]),
      }
      await inParallel(Object.entries(programs), async ([about, content]) => {
        const home = newHome()
        fs.writeFileSync(join(home, 'versions/1.0.1/bin/agent'), content, { mode: 0o755 })
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
        for (const trial of ['1', '2', '3']) {
          const outcome = await launch(shell, home)
          assert.equal(ranVersion(outcome), undefined, about)
          assert.equal(readRecord(home)?.['trial'], trial, about)
        }
        assert.equal(ranVersion(await launch(shell, home)), '1.0.0', about)
        assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '1.0.1', reason: 'tries' }, about)
      })
    })

    test('takes a previous version that is the version itself for none', async () => {
      const home = newHome()
      writeRecord(home, { version: '1.0.1', previous: '1.0.1', trial: 3 })
      const outcome = await launch(shell, home)
      assert.equal(ranVersion(outcome), '1.0.1')
      assert.equal(outcome.fact('trial'), '4')
      assert.deepEqual(readRecord(home), { version: '1.0.1', previous: '1.0.1', trial: '3' })
    })

    test('needs no tools but those that it names, and no file system that can be written besides its home', async (t) => {
      assert.match(fs.readFileSync(LAUNCHER, 'utf8'), /needs a POSIX shell and cat, chmod,\n# mv, rm, sleep and sync;/)
      const bare = { ...shell, path: pathOf(TOOLS, shell.busybox) }
      const mounted = mountTmpfs(t, '4m')
      const namespace = ['unshare', '-m', '/bin/sh', '-c', 'mount -o remount,bind,ro / && exec "$@"', 'sh']
      const isPermitted = mounted !== undefined && spawnSync('/usr/bin/env', [...namespace, 'true']).status === 0
      const system = ['/usr/bin/env', `PATH=${process.env['PATH']}`, ...namespace, '/usr/bin/env', `PATH=${bare.path}`]
      for (const before of isPermitted ? [[], system] : [[]]) {
        const home = newHome()
        installVersion(home, '1.0.1', 'exit 3')
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0, tries: 2 })
        const place = before.length === 0 ? home : join(mounted ?? '', 'home')
        if (place !== home) fs.cpSync(home, place, { recursive: true })
        const outcome = await launch(bare, place, { before, env: { MOULT_LAUNCH: 'stay' } })
        assert.deepEqual(outcome.facts('version'), ['1.0.1', '1.0.1', '1.0.0'], outcome.stderr)
        assert.doesNotMatch(outcome.stderr, /not found/)
        assert.deepEqual(readRecord(place), { version: '1.0.0', failed: '1.0.1', reason: 'tries' })
      }
    })

    test('counts the tries of a program that cannot be executed at all', async () => {
      const home = newHome()
      fs.writeFileSync(join(home, 'versions/1.0.1/bin/agent'), '#!/no/such/interpreter\n', { mode: 0o755 })
      for (const MOULT_LAUNCH of ['', 'stay']) {
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0, tries: 1 })
        const first = await launch(shell, home, { env: { MOULT_LAUNCH } })
        assert.equal(first.status === 0, MOULT_LAUNCH === 'stay')
        if (MOULT_LAUNCH === '') assert.equal(ranVersion(await launch(shell, home)), '1.0.0')
        assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '1.0.1', reason: 'tries' })
      }
    })

    test('runs the previous version when a try cannot be counted, and the one on trial when there is none', async () => {
      for (const fault of ['current.new is a directory', 'no sync', 'no mv']) {
        const home = newHome()
        const tool = /^no (\w+)$/.exec(fault)?.[1]
        if (tool === undefined) fs.mkdirSync(join(home, 'current.new'))
        const script = launcherWith(home, tool === undefined ? '' : `${tool}() { return 127; }`)
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 1 })
        const outcome = await launch(shell, home, { script })
        assert.equal(ranVersion(outcome), '1.0.0', fault)
        assert.equal(outcome.fact('trial'), 'unset', fault)
        assert.match(outcome.stderr, /cannot count a try of version 1\.0\.1/, fault)
        assert.deepEqual(readRecord(home), { version: '1.0.1', previous: '1.0.0', trial: '1' }, fault)

        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 3 })
        assert.equal(ranVersion(await launch(shell, home, { script })), '1.0.0', fault)
        writeRecord(home, { version: '1.0.1', trial: 1 })
        const alone = await launch(shell, home, { script })
        assert.equal(ranVersion(alone), '1.0.1', fault)
        assert.equal(alone.fact('trial'), '2', fault)
      }
    })

    test('runs the previous version on a full or read-only file system, and eats no disk', async (context) => {
      const mounted = folderOf('mount')
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', mounted]).status !== 0) {
        context.skip('no right to mount a file system here')
        return
      }
      try {
        const home = newHome()
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 1 })
        fs.cpSync(home, join(mounted, 'home'), { recursive: true })
        const filler = join(mounted, 'filler')
        assert.throws(() => fs.writeFileSync(filler, Buffer.alloc(1_000_000)), { code: 'ENOSPC' })
        for (const disk of ['full', 'read-only']) {
          if (disk === 'read-only') {
            fs.rmSync(filler)
            assert.equal(spawnSync('mount', ['-o', 'remount,ro', mounted]).status, 0)
          }
          const outcome = await launch(shell, join(mounted, 'home'))
          assert.equal(ranVersion(outcome), '1.0.0', `${disk}: ${outcome.stderr}`)
          assert.match(outcome.stderr, /cannot count a try/)
          assert.deepEqual(readRecord(join(mounted, 'home')), { version: '1.0.1', previous: '1.0.0', trial: '1' })
          assert.equal(fs.existsSync(join(mounted, 'home/current.new')), false)
        }
      } finally {
        spawnSync('umount', [mounted])
      }
    })

    test('has the old record or the new one, whole, after a kill at any step of writing it', async () => {
      const records = [
        { version: '1.0.1', previous: '1.0.0', trial: '1', tries: '3' },
        { version: '1.0.1', previous: '1.0.0', trial: '3', tries: '3' },
      ]
      const cases = CRASH_POINTS.flatMap((point) => records.map((record) => ({ ...point, record })))
      await inParallel(cases, async ({ record, ...point }) => {
        const { tool, nth, when } = point
        const about = `${when} ${tool} ${nth}, trial ${record.trial}`
        const home = newHome()
        writeRecord(home, record)
        const script = launcherWith(home, killAt(home, point))
        const outcome = await launch(shell, home, { script, detached: true })
        assert.equal(outcome.signal, 'SIGKILL', about)
        assert.equal(outcome.stdout, '', about)
        const moved = tool === 'mv' ? when === 'after' : nth === 2
        const counted = record.trial === '1'
        const next = counted ? { ...record, trial: '2' } : { version: '1.0.0', failed: '1.0.1', reason: 'tries' }
        assert.deepEqual(readRecord(home), moved ? next : record, about)

        const again = await launch(shell, home)
        assert.equal(ranVersion(again), counted ? '1.0.1' : '1.0.0', about)
        assert.deepEqual(readRecord(home), counted ? { ...record, trial: moved ? '3' : '2' } : next, about)
        assert.equal(fs.existsSync(join(home, 'current.new')), false, about)
      })
    })

    const strace = locate('strace')
    const traced = strace !== undefined && spawnSync(strace, ['-o', '/dev/null', 'true']).status === 0
    const noTrace = traced ? false : 'strace is not installed or not permitted here'

    test(
      'flushes the new record before the rename, and the directory before the version',
      { skip: noTrace },
      async () => {
        const home = newHome()
        writeRecord(home, { version: '1.0.1', trial: 0 })
        const trace = join(home, 'trace')
        const before = [
          strace ?? '',
          '-f',
          '-y',
          '-o',
          trace,
          '-e',
          'trace=write,fsync,rename,renameat,renameat2,execve',
        ]
        assert.equal((await launch(shell, home, { before })).status, 0)
        const lines = fs.readFileSync(trace, 'utf8').split('\n')
        const steps: [string, (line: string) => boolean][] = [
          ['write', (line) => /write\(\d+<.*\/current\.new>/.test(line)],
          ['flush of the file', (line) => /fsync\(\d+<.*\/current\.new>\)\s+= 0/.test(line)],
          ['rename', (line) => /rename\w*\(.*current\.new.*current"/.test(line) && line.includes('= 0')],
          ['flush of home', (line) => line.includes(`<${home}>)`) && /fsync\(\d+<.*\)\s+= 0/.test(line)],
          ['start', (line) => line.includes(`execve("${join(home, 'versions/1.0.1/bin/agent')}"`)],
        ]
        const found = steps.map(([, matches]) => lines.findIndex(matches))
        const about = `${steps.map(([name], index) => `${name}: line ${found[index]}`).join(', ')}\n${lines.join('\n')}`
        assert.ok(
          found.every((line) => line >= 0),
          about,
        )
        assert.deepEqual(
          found,
          found.toSorted((a, b) => a - b),
          about,
        )
      },
    )

    test('runs the previous version when the disk refuses the flush', { skip: noTrace }, async () => {
      const home = newHome()
      writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
      const before = [
        strace ?? '',
        '-f',
        '-o',
        '/dev/null',
        '-P',
        join(home, 'current.new'),
        '-e',
        'inject=fsync:error=EIO',
      ]
      const outcome = await launch(shell, home, { before })
      assert.equal(ranVersion(outcome), '1.0.0', outcome.stderr)
      assert.deepEqual(readRecord(home), { version: '1.0.1', previous: '1.0.0', trial: '0' })
    })

    test('flushes everything where sync takes no argument', async () => {
      const home = newHome()
      const calls = join(home, 'calls')
      writeRecord(home, { version: '1.0.1', trial: 0 })
      const script = launcherWith(home, `sync() { echo "sync $*" >>'${calls}'; [ $# -eq 0 ]; }`)
      const outcome = await launch(shell, home, { script })
      assert.equal(outcome.fact('trial'), '1')
      assert.equal(outcome.stderr, '')
      assert.equal(
        fs
          .readFileSync(calls, 'utf8')
          .split('\n')
          .filter((line) => line === 'sync ').length,
        2,
      )
    })

    test('goes on when nobody reads its log', async () => {
      const home = newHome()
      const outcome = await launch(shell, home, { during: async (child) => void child.stderr?.destroy() })
      assert.equal(outcome.status, 0)
      assert.equal(ranVersion(outcome) === undefined, false)
    })

    describe('as the parent (MOULT_LAUNCH=stay)', { concurrency: true }, () => {
      const env = { MOULT_LAUNCH: 'stay' }

      test('starts what the record says after exit 100, and passes on any other exit', async () => {
        const home = newHome()
        const swap = 'printf "version=1.0.1\\ntrial=0\\nprevious=1.0.0\\nend\\n" >"$MOULT_HOME/next"'
        installVersion(home, '1.0.0', `${swap} && mv "$MOULT_HOME/next" "$MOULT_HOME/current"; exit 100`)
        installVersion(home, '1.0.1', 'printf "version=1.0.1\\nend\\n" >"$MOULT_HOME/current"; exit 9')
        writeRecord(home, { version: '1.0.0' })
        const started = Date.now()
        const outcome = await launch(shell, home, { env, args: ['--flag'] })
        assert.ok(Date.now() - started < 20_000)
        assert.equal(outcome.status, 9)
        assert.deepEqual(outcome.facts('version'), ['1.0.0', '1.0.1'])
        assert.deepEqual(outcome.facts('trial'), ['unset', '1'])
        assert.deepEqual(outcome.facts('argument'), ['--flag', '--flag'])
        assert.equal(outcome.facts('pid').includes(`${outcome.pid}`), false)
        assert.equal(outcome.stderr, '')
      })

      test('waits longer and longer after exit 100 with the same record, until the record changes', async () => {
        const home = newHome()
        const start = 'echo x >>"$MOULT_HOME/starts"; n=$(grep -c x "$MOULT_HOME/starts");'
        const change = '[ $n -ne 3 ] || printf "version=1.0.0\\nchanged=\\nend\\n" >"$MOULT_HOME/current";'
        installVersion(home, '1.0.0', `${start} ${change} [ $n -lt 5 ] || exit 0; exit 100`)
        writeRecord(home, { version: '1.0.0' })
        const started = Date.now()
        const outcome = await launch(shell, home, { env })
        const elapsed = Date.now() - started
        assert.equal(outcome.status, 0)
        assert.equal(outcome.facts('ran').length, 5)
        const pauses = [...outcome.stderr.matchAll(/next start in (\d+) s/g)].map((match) => match[1])
        assert.deepEqual(pauses, ['1', '2', '1'])
        assert.ok(elapsed >= 3_900, `${elapsed}`)
      })

      test('rolls back a version on trial that crashes, without the supervisor', async () => {
        const home = newHome()
        installVersion(home, '1.0.1', 'exit 3')
        installVersion(home, '1.0.0', 'exit 4')
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0, tries: 2 })
        const outcome = await launch(shell, home, { env })
        assert.deepEqual(outcome.facts('version'), ['1.0.1', '1.0.1', '1.0.0'])
        assert.deepEqual(outcome.facts('trial'), ['1', '2', 'unset'])
        assert.equal(outcome.status, 4)
        assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '1.0.1', reason: 'tries' })
      })

      test('leaves it to the supervisor when a crash is no failed try on record', async () => {
        const home = newHome()
        installVersion(home, '1.0.1', 'exit 3')
        writeRecord(home, { version: '1.0.1', trial: 3 })
        assert.equal((await launch(shell, home, { env })).facts('ran').length, 1)
        fs.mkdirSync(join(home, 'current.new'))
        writeRecord(home, { version: '1.0.1', trial: 0 })
        assert.equal((await launch(shell, home, { env })).facts('ran').length, 1)
        fs.rmdirSync(join(home, 'current.new'))
        installVersion(home, '1.0.1', 'printf "version=1.0.1\\nend\\n" >"$MOULT_HOME/current"; exit 3')
        const confirmed = await launch(shell, home, { env })
        assert.equal(confirmed.facts('ran').length, 1)
        assert.equal(confirmed.status, 3)
        installVersion(home, '1.0.1', 'exit 0')
        writeRecord(home, { version: '1.0.1', trial: 0 })
        assert.equal((await launch(shell, home, { env })).facts('ran').length, 1)
      })

      test('does not count again when it is stopped between two tries, nor take a HUP for a crash', async () => {
        const home = newHome()
        installVersion(home, '1.0.1', 'exit 3')
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
        // The pause says that it has begun and lasts: on a busy machine no delay hits the real one for certain.
        const script = launcherWith(home, 'sleep() { : >"$MOULT_HOME/pausing"; exec sleep 30; }')
        const started = Date.now()
        const stopped = await launch(shell, home, {
          env,
          script,
          during: async (child) => {
            await waitFor(() => fs.existsSync(join(home, 'pausing')), 'the pause between two tries')
            child.kill('SIGTERM')
          },
        })
        assert.ok(Date.now() - started < 25_000, 'the stop ends the pause')
        assert.equal(stopped.status, 143)
        assert.equal(readRecord(home)?.['trial'], '1')
        installVersion(home, '1.0.1', 'kill -HUP $$')
        const hungUp = await launch(shell, home, { env })
        assert.equal(hungUp.status, 129)
        assert.equal(hungUp.facts('ran').length, 1)
      })

      /** Says when it is ready, what it got, and ends with the given status on TERM. */
      const listen = (status: number): string =>
        `trap 'echo got=HUP' HUP; trap 'echo got=USR1' USR1; trap 'echo got=TERM; kill $!; exit ${status}' TERM
        echo ready=; while :; do sleep 30 >/dev/null 2>&1 & wait; done`

      test('passes TERM, INT and QUIT on as TERM, and stops even when that ends with 100 or on trial', async () => {
        for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
          for (const status of [0, 5, 100]) {
            const home = newHome()
            installVersion(home, '1.0.1', listen(status))
            writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
            const outcome = await launch(shell, home, {
              env,
              during: async (child, output) => {
                await waitFor(() => output().includes('ready='), 'the version is ready')
                child.kill(signal)
              },
            })
            assert.equal(outcome.status, status, signal)
            assert.deepEqual(outcome.facts('got'), ['TERM'], signal)
            assert.deepEqual(outcome.facts('ran').length, 1, signal)
          }
        }
      })

      test('passes HUP and USR1 on and goes on waiting', async () => {
        const home = newHome()
        installVersion(home, '1.0.1', listen(6))
        writeRecord(home, { version: '1.0.1' })
        const outcome = await launch(shell, home, {
          env,
          during: async (child, output) => {
            await waitFor(() => output().includes('ready='), 'the version is ready')
            for (const [signal, name] of [
              ['SIGHUP', 'HUP'],
              ['SIGUSR1', 'USR1'],
              ['SIGTERM', 'TERM'],
            ] as const) {
              child.kill(signal)
              await waitFor(() => output().includes(`got=${name}`), `the version has got ${name}`)
            }
          },
        })
        assert.deepEqual(outcome.facts('got'), ['HUP', 'USR1', 'TERM'])
        assert.equal(outcome.status, 6)
      })

      test('stops at once on TERM between two starts', async () => {
        const home = newHome()
        installVersion(home, '1.0.1', 'sleep 0.3; exit 100')
        writeRecord(home, { version: '1.0.1' })
        const seen: number[] = []
        const outcome = await launch(shell, home, {
          env,
          during: async (child, output) => {
            // The third pause lasts 4 s.
            await waitFor(() => output().split('ran=').length > 3, 'the third start')
            await delay(1_000)
            seen.push(Date.now())
            child.kill('SIGTERM')
          },
        })
        assert.equal(outcome.status, 143)
        assert.ok(Date.now() - (seen[0] ?? 0) < 2_500)
        assert.equal(outcome.facts('ran').length, 3)
      })

      test('works with standard input closed', async () => {
        const home = newHome()
        writeRecord(home, { version: '1.0.1' })
        const before = ['/bin/sh', '-c', 'exec "$@" <&-', 'sh']
        assert.equal(ranVersion(await launch(shell, home, { env, before })), '1.0.1')
      })
    })
  })
}

test(
  'shellcheck has no remark on the launcher',
  { skip: locate('shellcheck') !== undefined ? false : 'no shellcheck here' },
  () => {
    const { status, stdout } = spawnSync('shellcheck', ['--shell=sh', LAUNCHER], { encoding: 'utf8' })
    assert.equal(status, 0, stdout)
  },
)
