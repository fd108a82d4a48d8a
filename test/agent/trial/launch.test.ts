// The launcher exists twice, in shell and in TypeScript. Each state of the files in this table is given to both, on two
// copies of one home: they must run the same version, as the same try, and leave the same record behind.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { type Home, homeAt } from '../../../agent/home/home.ts'
import { formatLaunchRecord, type LaunchRecord, readLaunchRecord } from '../../../agent/home/launch-record.ts'
import { prepareLaunch, repairRecord } from '../../../agent/trial/launch.ts'
import { formatReceipt } from '../../../agent/home/receipt.ts'
import { isMoultError } from '../../../manifests/index.ts'
import { BOUNDED, makeDir, mountTmpfs } from '../field.ts'

const LAUNCHER = fileURLToPath(new URL('../../../agent/launcher/launch.sh', import.meta.url))

const CURRENT = [
  'fine',
  'absent',
  'empty',
  'truncated',
  'garbage',
  'two ends',
  'crlf',
  'path',
  'no program',
  'empty program',
  'not executable',
  'not installed',
] as const
const CONFIRMED = ['fine', 'garbage', 'absent'] as const
const PREVIOUS = ['usable', 'unusable', 'unnamed', 'itself'] as const
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
/** Each run of the shell, and each flush of the twin, costs some milliseconds: parts of the table that meet all its values. */
const SHARED = STATES.filter((_, index) => index % 5 === 0)
const REPEATED = STATES.filter((_, index) => index % 5 === 1)

function installVersion(home: Home, version: string, seconds: number): string {
  const directory = join(home.versions, version)
  fs.mkdirSync(join(directory, 'bin'), { recursive: true })
  const program = join(directory, 'bin/agent')
  fs.writeFileSync(program, '#!/bin/sh\necho "$MOULT_VERSION ${MOULT_TRIAL-none}"\n', { mode: 0o755 })
  const receipt = join(directory, '.receipt')
  fs.writeFileSync(receipt, formatReceipt({ version, sha256: '0'.repeat(64), size: 1, entry: 'bin/agent' }))
  fs.utimesSync(receipt, seconds, seconds)
  return program
}

/** 2.0.0 is the current version, 1.0.0 the previous, 0.9.0 the confirmed, 0.5.0 merely lies there as the newest. */
function buildHome(path: string, state: State): Home {
  const home = homeAt(path)
  fs.mkdirSync(home.versions, { recursive: true })
  if (state.current !== 'not installed') {
    const program = installVersion(home, '2.0.0', 1000)
    if (state.current === 'no program') fs.rmSync(program)
    if (state.current === 'empty program') fs.truncateSync(program)
    if (state.current === 'not executable') fs.chmodSync(program, 0o644)
  }
  if (state.previous === 'usable') installVersion(home, '1.0.0', 1000)
  installVersion(home, '0.9.0', 1000)
  installVersion(home, '0.5.0', 2000)
  const lines = [`version=${state.current === 'path' ? '../2.0.0' : '2.0.0'}`]
  if (state.previous === 'itself') lines.push('previous=2.0.0')
  else if (state.previous !== 'unnamed') lines.push('previous=1.0.0')
  if (state.trial !== 'unnamed') lines.push(`trial=${state.trial}`)
  const text = `${lines.join('\n')}\nend\n`
  const texts: Partial<Record<State['current'], string>> = {
    empty: '',
    truncated: text.slice(0, -5),
    garbage: '\u00ff{"version":"2.0.0"}\nend\n',
    'two ends': `${text}end\n`,
    crlf: text.replaceAll('\n', '\r\n'),
  }
  if (state.current !== 'absent') fs.writeFileSync(home.current, texts[state.current] ?? text)
  if (state.confirmed === 'fine') fs.writeFileSync(home.confirmed, 'version=0.9.0\nend\n')
  if (state.confirmed === 'garbage') fs.writeFileSync(home.confirmed, 'version=0.9.0\n')
  return home
}

interface Outcome {
  readonly version: string
  readonly trial: string
  readonly record: LaunchRecord | string | undefined
}

/** The record as the launchers understand it; one that they left alone as its bytes. */
function recordAt(home: Home, before: string | undefined): Outcome['record'] {
  const text = fs.existsSync(home.current) ? fs.readFileSync(home.current, 'utf8') : undefined
  return text === before ? text : readLaunchRecord(home.current)
}

function launchTwin(home: Home): Outcome {
  const before = fs.existsSync(home.current) ? fs.readFileSync(home.current, 'utf8') : undefined
  const warnings: string[] = []
  const { version, trial = 'none', program } = prepareLaunch(home, (message) => warnings.push(message))
  assert.ok(fs.existsSync(program))
  return { version, trial: String(trial), record: recordAt(home, before) }
}

function launchShell(home: Home): Outcome {
  const before = fs.existsSync(home.current) ? fs.readFileSync(home.current, 'utf8') : undefined
  fs.copyFileSync(LAUNCHER, home.launch)
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }
  const { stdout, stderr, status } = spawnSync('sh', [home.launch], { env, encoding: 'utf8', timeout: 30_000 })
  assert.equal(status, 0, stderr)
  const [version = '', trial = ''] = stdout.trim().split(' ')
  return { version, trial, record: recordAt(home, before) }
}

function makeHome(t: TestContext, state: Partial<State> = {}): Home {
  return buildHome(join(makeDir(t), 'home'), {
    current: 'fine',
    confirmed: 'fine',
    previous: 'usable',
    trial: '0',
    ...state,
  })
}

describe('prepareLaunch', BOUNDED, () => {
  test(`agrees with the shell launcher in ${SHARED.length} states of the files`, (t) => {
    const dir = makeDir(t)
    for (const [index, state] of SHARED.entries()) {
      const twin = launchTwin(buildHome(join(dir, `${index}-twin`), state))
      const shell = launchShell(buildHome(join(dir, `${index}-shell`), state))
      assert.deepEqual(twin, shell, JSON.stringify(state))
    }
  })

  test(`runs something sound, counts each try and is idempotent in ${REPEATED.length} states`, (t) => {
    const dir = makeDir(t)
    for (const [index, state] of REPEATED.entries()) {
      const about = JSON.stringify(state)
      const home = buildHome(join(dir, String(index)), state)
      const first = launchTwin(home)
      // A version on trial is started three times at most while there is another to go back to.
      const runs = [first, launchTwin(home), launchTwin(home), launchTwin(home), launchTwin(home)]
      const last = runs.at(-1)
      if (state.previous === 'usable' && state.trial !== 'unnamed') assert.notEqual(last?.version, '2.0.0', about)
      assert.deepEqual(launchTwin(home).version, last?.version, about)
      if (typeof first.record === 'object')
        assert.ok(first.trial === 'none' || first.record.trial?.started === Number(first.trial), about)
    }
  })

  test('runs the previous version when a try cannot be counted, and warns', (t) => {
    const home = makeHome(t)
    fs.mkdirSync(`${home.current}.new`)
    fs.writeFileSync(join(`${home.current}.new`, 'in the way'), '')
    const warnings: string[] = []
    const launch = prepareLaunch(home, (message) => warnings.push(message))
    assert.equal(launch.version, '1.0.0')
    assert.match(warnings.join('\n'), /cannot be written/)
  })

  test('runs the previous version on a read-only home', (t) => {
    const mounted = mountTmpfs(t, '4m')
    if (mounted === undefined) return t.skip('no right to mount a file system here')
    const home = buildHome(join(mounted, 'home'), {
      current: 'fine',
      confirmed: 'fine',
      previous: 'usable',
      trial: '0',
    })
    spawnSync('mount', ['-o', 'remount,ro', mounted])
    assert.equal(prepareLaunch(home, () => undefined).version, '1.0.0')
  })

  test('says what to do when nothing can be run', (t) => {
    const home = homeAt(makeDir(t))
    assert.throws(
      () => prepareLaunch(home, () => undefined),
      (error) => isMoultError(error) && error.code === 'ERR_HOME_INVALID' && /agent install/.test(error.hint ?? ''),
    )
  })
})

describe('repairRecord', BOUNDED, () => {
  test('makes the record name what the launcher runs', (t) => {
    const dir = makeDir(t)
    for (const [index, state] of REPEATED.entries()) {
      const home = buildHome(join(dir, String(index)), state)
      const { version } = launchTwin(home)
      const repaired = repairRecord(home, () => undefined)
      assert.equal(repaired?.version, version, JSON.stringify(state))
      assert.deepEqual(readLaunchRecord(home.current), repaired)
      assert.equal(repairRecord(home, assert.fail)?.version, version)
    }
  })

  test('leaves a sound record alone, and marks a version on trial that is gone as failed', (t) => {
    const home = makeHome(t)
    const before = fs.readFileSync(home.current, 'utf8')
    repairRecord(home, assert.fail)
    assert.equal(fs.readFileSync(home.current, 'utf8'), before)
    fs.rmSync(join(home.versions, '2.0.0/bin/agent'))
    assert.deepEqual(
      repairRecord(home, () => undefined),
      { version: '1.0.0', failed: { version: '2.0.0', reason: 'missing' } },
    )
    assert.equal(
      fs.readFileSync(home.current, 'utf8'),
      formatLaunchRecord({ version: '1.0.0', failed: { version: '2.0.0', reason: 'missing' } }),
    )
    assert.equal(repairRecord(homeAt(makeDir(t)), assert.fail), undefined)
  })
})
