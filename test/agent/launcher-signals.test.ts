// A stop that comes at the worst instant: while the launcher chooses, and right after it has forked, when dash and busybox
// let a signal to the child go by. The version never outlives the launcher, and hears of the stop once at most.

import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { randomFrom } from '../fuzz/random.ts'
import {
  inParallel,
  installVersion,
  launch,
  LAUNCHER,
  newHome,
  type Outcome,
  readRecord,
  SHELLS,
  waitFor,
  writeRecord,
} from './shell-launcher.ts'

const ROUNDS = 200
const stay = { MOULT_LAUNCH: 'stay' }
const KEPT_INPUT = '  exec 9<&0\n'
const FORK = '  (ready; exec "$launch_program" "$@") <&9 9<&- &\n'

/** Ends on TERM; one that never hears of it says so at last, long after every stop of these tests. */
const LISTENER = `trap 'echo got=TERM; kill $! 2>/dev/null; exit 5' TERM
sleep 40 >/dev/null 2>&1 & echo ready=; wait; echo survived=yes`

function newListener(): string {
  const home = newHome('home', ['1.0.0'])
  installVersion(home, '1.0.1', LISTENER)
  writeRecord(home, { version: '1.0.1', previous: '1.0.0' })
  return home
}

/** The launcher with other text in place of some of its own. */
function launcherWhere(home: string, text: string, other: string): string {
  const script = fs.readFileSync(LAUNCHER, 'utf8')
  assert.equal(script.split(text).length, 2, `not once in the launcher: ${text}`)
  fs.writeFileSync(
    `${home}/launch-test`,
    script.replace(text, () => other),
  )
  return `${home}/launch-test`
}

function assertStopped(outcome: Outcome, about: string): void {
  assert.deepEqual(outcome.facts('survived'), [], about)
  assert.ok(outcome.facts('ran').length <= 1, about)
  assert.ok(outcome.facts('got').length <= 1, about)
  assert.ok(outcome.signal === 'SIGTERM' || [143, 5].includes(outcome.status ?? 0), `${about}: ${outcome.status}`)
}

for (const shell of SHELLS) {
  describe(`a stop, under ${shell.name}`, { skip: shell.skip }, () => {
    test(`right after the fork reaches the version or stops it before it starts: ${ROUNDS} rounds`, async () => {
      const home = newListener()
      const script = launcherWhere(home, FORK, `${FORK}  kill -s TERM "$$"\n`)
      await inParallel([...Array(ROUNDS).keys()], async (round) => {
        const outcome = await launch(shell, home, { script, env: stay })
        assertStopped(outcome, `round ${round}: ${outcome.stdout}`)
      })
    })

    test(`at any time from the start on stops it: ${ROUNDS} rounds`, async () => {
      const home = newListener()
      const seed = Date.now() % 2 ** 32
      const random = randomFrom(seed)
      // While bash sets a trap it ignores the signal for an instant, which no script can help.
      const isDeaf = shell.name.startsWith('bash')
      const script = launcherWhere(home, KEPT_INPUT, `${KEPT_INPUT}  echo trapped=\n`)
      await inParallel([...Array(ROUNDS).keys()], async (round) => {
        const during = async (child: ChildProcess, output: () => string): Promise<void> => {
          if (isDeaf) await waitFor(() => output().includes('trapped='), 'the traps are set')
          await delay(random() * 40)
          child.kill('SIGTERM')
        }
        const outcome = await launch(shell, home, { script, env: stay, during })
        // One that caught the version between its start and its trap has ended it all the same.
        assertStopped(outcome, `seed ${seed}, round ${round}: ${outcome.stdout}`)
      })
    })

    test('reaches the version where the supervisor has made the launcher ignore ALRM', async () => {
      const home = newListener()
      const outcome = await launch(shell, home, {
        env: stay,
        before: ['/bin/sh', '-c', 'trap "" ALRM; exec "$@"', 'sh'],
        during: async (child, output) => {
          await waitFor(() => output().includes('ready='), 'the version is ready')
          child.kill('SIGTERM')
        },
      })
      assert.equal(outcome.status, 5)
      assert.deepEqual(outcome.facts('got'), ['TERM'])
    })

    test('while the launcher chooses ends it when the choice is made, and no version starts', async () => {
      for (const MOULT_LAUNCH of ['', 'stay']) {
        const home = newListener()
        writeRecord(home, { version: '1.0.1', previous: '1.0.0', trial: 0 })
        const flush = 'write_record() {\n'
        const wait = `${flush}  : >"$MOULT_HOME/choosing"; while [ ! -f "$MOULT_HOME/go" ]; do sleep 0.05; done\n`
        const outcome = await launch(shell, home, {
          script: launcherWhere(home, flush, wait),
          env: { MOULT_LAUNCH },
          during: async (child) => {
            await waitFor(() => fs.existsSync(`${home}/choosing`), 'the choice')
            child.kill('SIGTERM')
            assert.equal(readRecord(home)?.['trial'], '0')
            fs.writeFileSync(`${home}/go`, '')
          },
        })
        assert.equal(outcome.status, 143, outcome.stderr)
        assert.equal(outcome.stdout, '')
        // Nothing goes on by itself after the end: the try was written before it.
        assert.equal(readRecord(home)?.['trial'], '1')
      }
    })
  })
}
