// Everything that the launcher reads, damaged in every combination (catalogue 68, 75): each of seven files is absent,
// empty, cut off, garbage or valid, and the record on trial or not. What runs is installed, and whole if anything is; the
// second start gives what the first gave; the launcher in TypeScript and the one in shell agree.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { homeAt } from '../../agent/home/home.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import { isMoultError } from '../../manifests/index.ts'
import { folderOf, inParallel, launch, newHome, recordText, sha256, SHELLS } from './shell-launcher.ts'

const CONDITIONS = ['valid', 'absent', 'empty', 'truncated', 'garbage'] as const
type Condition = (typeof CONDITIONS)[number]
const RECORDS = ['plain', 'tries left', 'tries used up'] as const
const FILES = [
  'current',
  'confirmed',
  'versions/2.0.0/.receipt',
  'versions/2.0.0/agent',
  'versions/1.0.0/.receipt',
  'versions/1.0.0/agent',
  'state.json',
] as const

interface State {
  readonly record: (typeof RECORDS)[number]
  readonly files: readonly Condition[]
}

const COUNT = RECORDS.length * CONDITIONS.length ** FILES.length
/** Prime to the sizes of all dimensions, so that each part of the table that is taken meets all pairs of conditions. */
const TWIN_STEP = 61
const SHELL_STEP = 1373

/** Every `step`-th of all combinations. */
function statesBy(step: number): State[] {
  return Array.from({ length: Math.floor(COUNT / step) }, (_, index) => {
    let rest = index * step
    const take = <T>(values: readonly T[]): T => {
      const value = values[rest % values.length] as T
      rest = Math.floor(rest / values.length)
      return value
    }
    return { record: take(RECORDS), files: FILES.map(() => take(CONDITIONS)) }
  })
}

/** Whatever becomes of its padding, it can still be run, and says which version it is of. */
const program = (version: string): string =>
  `#!/bin/sh\necho "ran=${version}/agent trial=\${MOULT_TRIAL-none}"\nexit #${'-'.repeat(99)}\n`

function receipt(version: string): string {
  const list = `${sha256(program(version))}  ./agent\n`
  return `version=${version}\nsha256=${sha256(version)}\nsize=1\nsums=${sha256(list)}\nentry=agent\n`
}

function contentOf(file: (typeof FILES)[number], record: State['record']): string {
  const version = file.split('/')[1] ?? ''
  if (file.endsWith('.receipt')) return receipt(version)
  if (file.endsWith('agent')) return program(version)
  if (file === 'state.json') return '{}'
  const trial = { plain: {}, 'tries left': { trial: 1 }, 'tries used up': { trial: 3 } }[record]
  if (file === 'current') return recordText({ version: '2.0.0', previous: '1.0.0', ...trial })
  return recordText({ version: record === 'plain' ? '2.0.0' : '1.0.0' })
}

function writeState(home: string, { record, files }: State): void {
  for (const [index, file] of FILES.entries()) {
    const path = join(home, file)
    const whole = contentOf(file, record)
    const texts: Readonly<Record<Condition, string | undefined>> = {
      valid: whole,
      absent: undefined,
      empty: '',
      truncated: whole.slice(0, -10),
      garbage: `${whole.slice(0, -10)}\u0007\u00ff = garbage\n`,
    }
    const text = texts[files[index] ?? 'valid']
    fs.rmSync(path, { force: true })
    if (text !== undefined) fs.writeFileSync(path, text, { mode: 0o755 })
  }
}

function newStateHome(): string {
  const home = newHome('home', [])
  for (const version of ['1.0.0', '2.0.0']) {
    fs.mkdirSync(join(home, 'versions', version), { recursive: true })
    fs.writeFileSync(join(home, 'versions', version, '.sha256sums'), `${sha256(program(version))}  ./agent\n`)
  }
  return home
}

interface Result {
  readonly version: string
  readonly trial: string
  readonly current: string
}

const NOTHING = 'nothing'

function currentOf(home: string): string {
  const path = join(home, 'current')
  return fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : NOTHING
}

function launchTwin(home: string): Result {
  try {
    const { version, trial = 'none' } = prepareLaunch(homeAt(home), () => undefined)
    return { version, trial: String(trial), current: currentOf(home) }
  } catch (error) {
    assert.ok(isMoultError(error) && error.code === 'ERR_HOME_INVALID', String(error))
    return { version: NOTHING, trial: 'none', current: currentOf(home) }
  }
}

/** What the states of the files allow; how it comes about is not its business. */
function assertAllowed({ record, files }: State, { version, trial }: Result, about: string): void {
  const [current, , currentReceipt, currentProgram, previousReceipt, previousProgram] = files
  const conditions = { '2.0.0': [currentReceipt, currentProgram], '1.0.0': [previousReceipt, previousProgram] }
  // A receipt that was cut off or spoilt at its end names no program of its version.
  const startable = Object.entries(conditions).filter(
    ([, [itsReceipt, itsProgram]]) => itsReceipt === 'valid' && itsProgram !== 'absent' && itsProgram !== 'empty',
  )
  const whole = startable.filter(([, [, itsProgram]]) => itsProgram === 'valid').map(([name]) => name)
  const installed = startable.map(([name]) => name)
  assert.ok(installed.length === 0 ? version === NOTHING : installed.includes(version), `not installed: ${about}`)
  const isOnTrial = current === 'valid' && record !== 'plain'
  const isOrdinary = current === 'valid' && record === 'plain' && version === '2.0.0'
  if (whole.length > 0 && !isOrdinary) assert.ok(whole.includes(version), `not whole: ${about}`)
  if (current === 'valid' && record === 'plain' && installed.includes('2.0.0')) assert.equal(version, '2.0.0', about)
  if (isOnTrial && record === 'tries left' && whole.includes('2.0.0'))
    assert.deepEqual([version, trial], ['2.0.0', '2'])
  if (isOnTrial && record === 'tries used up' && whole.includes('1.0.0')) assert.equal(version, '1.0.0', about)
}

describe('with its files damaged in all combinations', () => {
  const twinStates = statesBy(TWIN_STEP)
  test(`the twin runs what is installed and whole, and the same at the second start: ${twinStates.length} of ${COUNT}`, () => {
    const home = newStateHome()
    for (const state of twinStates) {
      writeState(home, state)
      const about = JSON.stringify(state)
      const first = launchTwin(home)
      assertAllowed(state, first, `${about} ${JSON.stringify(first)}`)
      assert.equal(launchTwin(home).version, first.version, about)
    }
  })

  const shellStates = statesBy(SHELL_STEP)
  for (const shell of SHELLS) {
    const name = `the launcher under ${shell.name} agrees with the twin: ${shellStates.length} of ${COUNT}`
    test(name, { skip: shell.skip }, async () => {
      await inParallel(shellStates, async (state) => {
        const home = newStateHome()
        writeState(home, state)
        const twinHome = join(folderOf('twin'), 'home')
        fs.cpSync(home, twinHome, { recursive: true, preserveTimestamps: true })
        const about = JSON.stringify(state)
        for (const start of ['first', 'second']) {
          const { stdout, stderr, status } = await launch(shell, home)
          const [, version = NOTHING, trial = 'none'] = /^ran=(.*)\/agent trial=(.*)$/m.exec(stdout) ?? []
          const result = { version, trial, current: currentOf(home) }
          assert.equal(status, version === NOTHING ? 78 : 0, `${about} ${stderr}`)
          if (start === 'first') assertAllowed(state, result, `${about} ${stderr}`)
          assert.deepEqual(result, launchTwin(twinHome), `${start} start: ${about} ${stderr}`)
        }
        fs.rmSync(join(home, '..'), { recursive: true })
        fs.rmSync(join(twinHome, '..'), { recursive: true })
      })
    })
  }
})
