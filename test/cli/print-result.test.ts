// What a rollout says is printed for people in their terminal, and as it is for machines.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { makeProject } from '../release/project-fixture.ts'
import { runMoult } from './moult-process.ts'

const TURNED = '\u202eweb-1\u200b'

test('what turns a line around is shown as such to people, and as it was signed to machines', async (t) => {
  const { dir, release } = await makeProject(t)
  await release('1.0.0')
  const flag = `banner="${TURNED}" 100%`
  const set = ['rollout', 'set', '--rule', `id:"${TURNED}" -> hold`, '--flag', flag]
  const { code, stderr } = await runMoult(set, dir)
  assert.equal(code, 0, stderr)
  const { stdout } = await runMoult(['rollout', 'status'], dir)
  assert.match(stdout, /^Rule: agents with id \?web-1\?: held where they are$/m)
  assert.match(stdout, /^Flag: banner="\?web-1\?"/m)
  assert.doesNotMatch(stdout, /\p{Cf}/u)
  const { stdout: json } = await runMoult(['rollout', 'status', '--json'], dir)
  assert.ok(json.includes(TURNED))
})
