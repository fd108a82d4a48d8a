// What the commands on a machine say and do of rules, pins, flags and the fallback of a signed rollout.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test, type TestContext } from 'node:test'

import { homeAt } from '../../agent/home/home.ts'
import { formatDate, type JsonValue } from '../../manifests/index.ts'
import { type Host, layOutHome, NOW, publish, publishRelease, startHost } from '../agent/field.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import { type Finished, jsonOf, MAIN, readJson, Scene } from '../helpers/moult.ts'

const HOUR_MS = 3_600_000
const inHours = (hours: number): string => formatDate(NOW + hours * HOUR_MS)
const open = [{ at: inHours(-1), percent: 100 }]
const flag = (value: JsonValue) => ({ shares: [{ value, percent: 100 }] })

interface Machine {
  readonly host: Host
  readonly home: string
  readonly agent: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Finished>
}

describe('moult agent and a rollout with rules', { timeout: 120_000, concurrency: 2 }, () => {
  let scene: Scene
  let homes = 0
  before(() => (scene = new Scene('rollout')))
  after(() => scene.close())

  /** A home with 1.0.0 that is offered 2.0.0. */
  async function makeMachine(t: TestContext, rollout: (host: Host) => Record<string, JsonValue>): Promise<Machine> {
    const host = await startHost(t)
    publish(host, { version: '2.0.0', manifest: { rollout: rollout(host) } })
    const home = scene.path(`home-${(homes += 1)}`)
    await layOutHome(homeAt(home))
    const place = ['--home', home, '--server', host.url]
    return { host, home, agent: (args, env = {}) => scene.moult(['agent', ...args, ...place], { env }) }
  }

  test('explain names id, labels, rule, place, windows, pins, floor, flags, and when it will move', async (t) => {
    const { agent } = await makeMachine(t, (host) => ({
      poll: '30m',
      spread: '10h',
      flags: { colour: flag('grey') },
      fallback: publishRelease(host, { version: '1.0.0' }),
      stages: [{ at: inHours(24), percent: 100 }],
      rules: [
        { match: { labels: { ring: ['nightly'] } }, hold: true },
        {
          match: { labels: { ring: ['canary'] } },
          stages: [{ at: inHours(2), percent: 100 }],
          windows: [{ start: '02:00', end: '02:00', timezone: 'UTC' }],
          flags: { colour: flag('yellow') },
        },
        { match: {}, flags: { colour: flag('never'), buffer: flag(true) } },
      ],
    }))
    const env = { UPDATE_LABELS: 'ring=canary,site=berlin', UPDATE_PIN: '<3.0.0', TZ: 'Europe/Berlin' }
    const { stdout, stderr, code } = await agent(['explain'], env)
    assert.equal(code, 0, stderr)
    const lines = stdout.split('\n')
    const line = (name: string): string[] => lines.filter((each) => each.startsWith(name.padEnd(10)))
    assert.match(line('agent')[0] ?? '', /^agent +[0-9a-f]{32}, ring=canary, site=berlin$/)
    assert.deepEqual(line('polls'), ['polls     every 30m, as the rollout proposes'])
    assert.deepEqual(line('stage'), [`stage     100 % from ${inHours(2)}`])
    assert.match(line('spread')[0] ?? '', /^spread +10h: this agent [0-9hms]+ after the beginning of its stage$/)
    assert.match(
      line('rule')[0] ?? '',
      /^rule +2 of 3, for what it gets, windows, flag colour: .*ring=canary.* -> .*100%/,
    )
    assert.match(line('rule')[1] ?? '', /^rule +3 of 3, for flag buffer: /)
    assert.deepEqual(line('pin'), ['pin       <3.0.0, by the settings of this host'])
    assert.deepEqual(line('fallback'), ['fallback  1.0.0, while held back'])
    assert.deepEqual(line('window'), ['window    02:00 to 02:00 every day, UTC, by the rollout: open'])
    assert.deepEqual(line('flag').toSorted(), ['flag      buffer = true', 'flag      colour = yellow'])
    assert.match(line('decision')[0] ?? '', /^decision +wait: stage until /)

    const json = jsonOf<{
      id: string
      decision: { untilMs: number }
      move: { at: string; version: string; reason: string }
      spread: { place: number; delayMs: number }
      rules: { index: number; decides: string[] }[]
      interval: object
      labels: object
    }>(await agent(['explain', '--json'], env))
    assert.ok(json.spread.place >= 0 && json.spread.place < 1)
    assert.equal(json.spread.delayMs, Math.floor(json.spread.place * 10 * HOUR_MS))
    assert.equal(json.decision.untilMs, Date.parse(inHours(2)) + json.spread.delayMs)
    assert.deepEqual(json.move, { at: formatDate(json.decision.untilMs), version: '2.0.0', reason: 'newer' })
    assert.deepEqual(line('moves'), [`moves     from ${json.move.at} on to 2.0.0 (newer)`])
    assert.deepEqual(
      json.rules.map(({ index, decides }) => [index, decides]),
      [
        [1, ['move', 'windows', 'flag colour']],
        [2, ['flag buffer']],
      ],
    )
    assert.deepEqual(json.interval, { ms: 1_800_000, by: 'rollout' })
    assert.deepEqual(json.labels, { ring: 'canary', site: 'berlin' })

    const held = await agent(['explain'], { UPDATE_LABELS: 'ring=nightly', UPDATE_INTERVAL: '7m' })
    assert.match(held.stdout, /^rule +1 of 3, for what it gets: .*-> hold$/m)
    assert.match(held.stdout, /^polls +every 7m, as the settings say$/m)
    assert.match(held.stdout, /^decision +wait: hold\nmoves +not by itself$/m)
  })

  test('explain, check and its exit status go by the release that is meant for this machine', async (t) => {
    const { agent, home, host } = await makeMachine(t, (at) => ({
      rules: [{ match: {}, pin: publishRelease(at, { version: '1.5.0' }) }],
    }))
    const found = await agent(['check', '--json'])
    assert.equal(found.code, 0, found.stderr)
    const { offered, decision } = jsonOf<{ offered: string; decision: Record<string, unknown> }>(found)
    assert.deepEqual([offered, decision['version'], decision['reason']], ['2.0.0', '1.5.0', 'pinned'])
    assert.equal('release' in decision, false)
    assert.equal((await agent(['check'])).stdout, 'Update available: 1.5.0. Install it with --apply\n')
    const told = await agent(['explain'])
    assert.match(told.stdout, /^pin +1\.5\.0, by the rollout$/m)
    assert.match(told.stdout, /^decision +install of 1\.5\.0: pinned\nmoves +now to 1\.5\.0 \(pinned\)$/m)
    assert.match((await agent(['explain'], { UPDATE_AUTO_APPROVE: 'false' })).stdout, /^approval +.*approve 1\.5\.0$/m)

    const refused = await agent(['check'], { UPDATE_PIN: '1.0.0' })
    assert.equal(refused.code, 24, refused.stdout)
    assert.match(refused.stderr, /^error: not installed \(host-pin\): 2\.0\.0$/m)
    assert.equal((await agent(['check', '--apply'])).code, 100)
    await agent(['confirm'])
    assert.equal((await agent(['check'])).stdout, 'Up to date: 1.5.0\n')
    assert.match((await agent(['explain'])).stdout, /^moves +not, as it is where it belongs$/m)
    for (const [sequence, rollout, says] of [
      [11, { rules: [{ match: {}, hold: true }] }, 'Waiting with 2.0.0: hold\n'],
      [12, { paused: true }, 'Waiting with 2.0.0: paused\n'],
      [13, { stages: [{ at: inHours(1), percent: 100 }] }, 'Waiting with 2.0.0: stage\n'],
    ] as const) {
      publish(host, { version: '2.0.0', sequence, manifest: { rollout: rollout as never } })
      const { code, stdout } = await agent(['check', '--apply'])
      assert.deepEqual([code, stdout], [0, says])
      const status = jsonOf<{ lastCheck: { reason: string }; state: string }>(await agent(['status', '--json']))
      assert.deepEqual([status.lastCheck.reason, status.state], [says.slice(20).trim(), 'waiting'])
    }
    assert.equal(existsSync(homeAt(home).release), true)
  })

  test('flags prints those of the last manifest that verified, and asks no server', async (t) => {
    const { agent, home, host } = await makeMachine(t, () => ({
      stages: open,
      paused: true,
      flags: { colour: flag('grey') },
      rules: [{ match: { labels: { ring: ['canary'] } }, flags: { buffer: flag(true) } }],
    }))
    assert.equal((await agent(['flags'])).stdout, 'No manifest was verified here yet\n')
    const checked = await agent(['check'], { UPDATE_LABELS: 'ring=canary' })
    assert.match(checked.stderr, /^Flags: colour=grey, buffer=true$/m)
    assert.doesNotMatch((await agent(['check'], { UPDATE_LABELS: 'ring=canary' })).stderr, /Flags/)
    host.answers.clear()
    host.drain()
    const canary = await agent(['flags'], { UPDATE_LABELS: 'ring=canary' })
    assert.deepEqual([canary.code, canary.stdout], [0, 'colour = grey\nbuffer = true\n'])
    assert.deepEqual(jsonOf(await agent(['flags', '--json'])), {
      kind: 'flags',
      flags: { colour: 'grey' },
      sequence: 10,
      version: '1.0.0',
    })
    assert.deepEqual(host.drain(), [])
    assert.deepEqual(readJson(homeAt(home).flags), {
      flags: { colour: 'grey', buffer: true },
      sequence: 10,
      version: '1.0.0',
    })
  })

  test('run tells the program where its flags are', async (t) => {
    const { host, home } = await makeMachine(t, () => ({ paused: true, flags: { colour: flag('grey') } }))
    const body =
      'until grep -q grey "$MOULT_HOME/flags.json" 2>/dev/null; do sleep 0.1; done; echo colour is grey; exit 0'
    await layOutHome(homeAt(`${home}-run`), '1.0.0', body)
    const place = ['--home', `${home}-run`, '--server', host.url]
    const env = { UPDATE_INTERVAL: '1s' }
    const run = scene.start(process.execPath, [MAIN, 'agent', 'run', ...place], { env })
    await run.line(/^colour is grey$/)
    assert.equal((await run.ended).code, 0)
  })

  test('install keeps the labels and the pin that it is given', async (t) => {
    const { host } = await makeMachine(t, () => ({ stages: open }))
    const home = scene.path('installed')
    const root = scene.write('root.json', JSON.stringify(makeRoot()))
    const place = ['--home', home, '--server', host.url, '--root', root]
    const install = (...more: string[]) => scene.moult(['agent', 'install', ...place, ...more])
    for (const [args, says] of [
      [['--label', 'canary'], /--label: expected <name>=<value>, got "canary"/],
      [['--label', 'Ring=canary'], /labels/],
      [['--label', 'ring='], /labels/],
      [['--pin', 'newest'], /pin/],
    ] as const) {
      const { code, stderr } = await install(...args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, says)
      assert.equal(existsSync(home), false)
    }
    const first = await install('--label', 'ring=canary', '--label', 'site=berlin', '--pin', '<3.0.0')
    assert.equal(first.code, 0, first.stderr)
    const { labels, pin } = readJson(homeAt(home).config)
    assert.deepEqual([labels, pin], [{ ring: 'canary', site: 'berlin' }, '<3.0.0'])
    assert.equal((await install()).code, 0)
    assert.deepEqual(readJson(homeAt(home).config)['labels'], labels)
  })
})
