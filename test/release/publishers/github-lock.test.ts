import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'

import { connectGitHub } from '../../../release/publishers/github-client.ts'
import { type GitHubLock, LEASE_MS, lockRepository } from '../../../release/publishers/github-lock.ts'
import { surroundingsOf } from '../../../release/surroundings.ts'
import { failsWith } from '../project-fixture.ts'
import { type GitHubDouble, startGitHub } from './github-double.ts'
import { ENV, openDouble } from './github-place.ts'

const REF = 'refs/moult/lock'
/** For a lock that is neither renewed nor lost. */
const BOUNDED = { timeout: 60_000 }

function lockDouble({ apiUrl }: GitHubDouble, leaseMs = LEASE_MS): Promise<GitHubLock> {
  const config = { repository: 'acme/agent', apiUrl, tokenEnv: 'TOKEN' }
  const github = connectGitHub(config, surroundingsOf({ env: ENV }), () => undefined)
  return lockRepository(github, Date.now, '1.0.0 on stable', leaseMs)
}

/** As another machine would hold it. */
function holdElsewhere({ state }: GitHubDouble, ...parents: string[]): string {
  const holder = { pid: 1, host: 'another-machine', since: '2026-11-21T00:00:00Z', nonce: 'theirs' }
  const tree = [...state.commits.values()][0]?.tree ?? ''
  const sha = state.addCommit({ tree, parents, message: JSON.stringify(holder) })
  state.refs.set(REF, sha)
  return sha
}

test('a lock of another machine is kept until its lease is over, by the clock of GitHub', async (t) => {
  const github = await startGitHub(t)
  holdElsewhere(github)
  await assert.rejects(lockDouble(github), failsWith('ERR_PUBLISH_CONFLICT', /process 1 on another-machine/))
  github.state.clockOffsetMs = LEASE_MS + 2000
  const { release } = await lockDouble(github)
  await release()
  assert.equal(github.state.refs.has(REF), false)
})

test('of many that take over a lock whose lease is over, one gets it', async (t) => {
  const github = await startGitHub(t)
  holdElsewhere(github)
  github.state.clockOffsetMs = LEASE_MS + 2000
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => lockDouble(github)))
  const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  assert.equal(won.length, 1)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected')
      assert.throws(() => assert.fail(outcome.reason as Error), failsWith('ERR_PUBLISH_CONFLICT'))
  await won[0]?.release()
})

test('one that is renewed just before it is taken over stays with its holder', async (t) => {
  const github = await startGitHub(t)
  const before = holdElsewhere(github)
  github.state.clockOffsetMs = LEASE_MS + 2000
  // The second commit is the one for the takeover.
  let commits = 0
  github.onChange = ({ path }) => {
    if (path === '/git/commits' && ++commits === 2) holdElsewhere(github, before)
  }
  await assert.rejects(lockDouble(github), failsWith('ERR_PUBLISH_CONFLICT', /another-machine/))
})

test('a lock is renewed while it is held, and each renewal follows from the one before', BOUNDED, async (t) => {
  const github = await startGitHub(t)
  const renewed = new Promise<void>((resolve) => {
    let moves = 0
    github.onChange = ({ method }) => (method === 'PATCH' && ++moves === 3 ? resolve() : undefined)
  })
  const first = lockDouble(github, 8000)
  const { release, lost } = await first
  const created = github.state.refs.get(REF) ?? ''
  await renewed
  assert.ok(github.state.isAncestor(created, github.state.refs.get(REF) ?? ''))
  assert.equal(lost.aborted, false)
  await release()
  assert.equal(github.state.refs.has(REF), false)
})

test('who lost the lock is stopped, told by whom, and does not remove the lock of the other', BOUNDED, async (t) => {
  const github = await startGitHub(t)
  const { release, lost } = await lockDouble(github, 4000)
  const theirs = holdElsewhere(github)
  if (!lost.aborted) await once(lost, 'abort')
  assert.throws(() => lost.throwIfAborted(), failsWith('ERR_PUBLISH_CONFLICT', /another-machine/))
  await release()
  assert.equal(github.state.refs.get(REF), theirs)
})

test('a release that is interrupted gives its lock back', async (t) => {
  const github = await startGitHub(t)
  const stop = new AbortController()
  const unlock = await openDouble(github, {}, { signal: stop.signal }).lock()
  assert.ok(github.state.refs.has(REF))
  stop.abort()
  await unlock()
  assert.equal(github.state.refs.has(REF), false)
})
