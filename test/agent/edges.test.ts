// Case 97: a CDN whose edges hold files of different age. Whatever mixture an agent is served, it installs what one manifest
// names, or nothing.

import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'

import { isMoultError } from '../../manifests/index.ts'
import {
  artifactOf,
  BOUNDED,
  type Host,
  makeMachine,
  manifestOf,
  type Machine,
  program,
  startHost,
  whatRuns,
} from './field.ts'

const OLD = { version: '1.0.1', sequence: 10, artifact: program('1.0.1') }
const NEW = { version: '1.0.2', sequence: 11, artifact: program('1.0.2') }
const OTHER = program('1.0.2', 'echo built before; exit 0')

async function servedBy(t: TestContext, fill: (host: Host) => void): Promise<Machine & { host: Host }> {
  const host = await startHost(t)
  fill(host)
  return { ...(await makeMachine(t, host)), host }
}

const MIXTURES: readonly (readonly [string, string, (host: Host) => void])[] = [
  ['the new manifest and no artifact yet', 'ERR_NETWORK_STATUS', () => undefined],
  ['the new manifest and the old artifact', 'ERR_BYTES_SIZE', (host) => host.serve('1.0.2.bin', OTHER)],
  [
    'the new manifest and an old artifact of the same size',
    'ERR_BYTES_HASH',
    (host) => host.serve('1.0.2.bin', Buffer.from(artifactOf(NEW).toString().replace('exit', 'echo'))),
  ],
]

describe('edges of different age', BOUNDED, () => {
  for (const [name, code, fill] of MIXTURES) {
    test(`${name}: nothing is installed, and the next poll tries again`, async (t) => {
      const { host, home, poll } = await servedBy(t, (edge) => {
        edge.serve('version.json', manifestOf(NEW))
        fill(edge)
      })
      const before = whatRuns(home)
      for (let round = 0; round < 2; round += 1) {
        await assert.rejects(poll(), (error) => isMoultError(error) && error.code === code)
        assert.deepEqual(whatRuns(home), before)
      }
      host.serve('1.0.2.bin', NEW.artifact)
      assert.equal((await poll()).kind, 'swapped')
    })
  }

  test('the old manifest beside the new artifact: the old release is installed, as it was signed', async (t) => {
    const { poll } = await servedBy(t, (edge) => {
      edge.serve('version.json', manifestOf(OLD))
      edge.serve('1.0.1.bin', OLD.artifact)
      edge.serve('1.0.2.bin', NEW.artifact)
    })
    assert.deepEqual(await poll(), { kind: 'swapped', version: '1.0.1', previous: '1.0.0' })
  })

  test('edges in turn: what was seen once is never taken back', async (t) => {
    const { host, home, poll } = await servedBy(t, (edge) => edge.serve('1.0.2.bin', NEW.artifact))
    host.serve('version.json', manifestOf(NEW))
    await poll({ apply: false })
    for (let round = 0; round < 4; round += 1) {
      host.serve('version.json', manifestOf(OLD))
      const before = whatRuns(home)
      await assert.rejects(poll(), (error) => isMoultError(error) && error.code === 'ERR_TRUST_REPLAY')
      assert.deepEqual(whatRuns(home), before)
      host.serve('version.json', manifestOf(NEW))
      assert.equal((await poll({ apply: false })).kind, 'checked')
    }
    assert.equal((await poll()).kind, 'swapped')
  })
})
