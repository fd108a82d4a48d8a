import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, test } from 'node:test'

import { processesWith, REPOSITORY, Scene, type Started, until } from '../helpers/moult.ts'

interface DemoResult {
  readonly versions: readonly string[]
  readonly rolledBack: readonly string[]
  readonly heartbeats: number
  readonly heartbeatsLost: number
  readonly seconds: number
}

describe('the demo', () => {
  let scene: Scene
  let scratch = ''
  beforeEach(() => {
    scene = new Scene('demo test')
    // Everything that it writes and starts can be told from others by this.
    scratch = scene.folder('temporary files')
  })
  afterEach(() => scene.close())

  const start = (...args: string[]): Started =>
    scene.start('npm', ['run', 'demo', '--', ...args], { cwd: REPOSITORY, env: { TMPDIR: scratch } })
  /** The runner of TypeScript keeps a cache of its own there. */
  const leftBehind = (): string[] => readdirSync(scratch).filter((name) => !name.startsWith('tsx-'))

  test(
    'ends with one JSON object that tells of four versions, one rollback and no lost heartbeat',
    { timeout: 120_000 },
    async () => {
      const demo = start('--json')
      assert.deepEqual(await demo.ended, { code: 0, signal: null }, demo.lines.join('\n'))
      const { heartbeats, seconds, ...result } = JSON.parse(
        demo.lines.findLast((line) => line.startsWith('{')) ?? '',
      ) as DemoResult
      assert.deepEqual(result.versions, ['1.0.0', '1.0.1', '1.0.1', '1.0.3'])
      assert.deepEqual(result.rolledBack, ['1.0.2'])
      assert.equal(result.heartbeatsLost, 0)
      assert.ok(heartbeats > 10, `${heartbeats} heartbeats`)
      assert.ok(seconds < 90, `${seconds} s`)
      assert.deepEqual([leftBehind(), processesWith(scratch)], [[], []])
    },
  )

  for (const [moment, pattern] of [
    ['while it releases', /^\$ moult release 1\.0\.0$/],
    ['while the agent updates', /^ {2}\| Update found: 1\.0\.1/],
  ] as const) {
    test(`interrupted ${moment}, leaves no process and no file behind`, { timeout: 60_000 }, async () => {
      const demo = start()
      await demo.line(pattern)
      // As a terminal does: to all of the foreground group.
      demo.kill('SIGINT', 'group')
      await demo.ended
      await until('its processes to end', () => processesWith(scratch).length === 0, 5000)
      assert.deepEqual(leftBehind(), [])
    })
  }
})
