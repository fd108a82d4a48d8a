// Two at once, and runs that are killed: whatever happens, one wins, and what agents are offered is whole.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { sha256 } from '../../../manifests/index.ts'
import { readRoots, verifyPublished, type VerifyResult } from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject } from '../project-fixture.ts'
import { type GitHubDouble, startGitHub } from './github-double.ts'
import { bytesOf, ENV, openDouble } from './github-place.ts'
import { startWorker } from './release-worker.ts'

/** 1 takes twice as long. */
const KILL_EVERY = Number(process.env['MOULT_TEST_KILL_EVERY'] ?? 2)
const ROUNDS = Number(process.env['MOULT_TEST_RACES'] ?? 20)

interface Stage extends Fixture {
  readonly github: GitHubDouble
  readonly verify: () => Promise<VerifyResult>
}

async function makeStage(t: TestContext): Promise<Stage> {
  const github = await startGitHub(t)
  const publish = { github: { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN' } }
  const project = await makeProject(t, { publish, platforms: ['linux-amd64'], smoke: false })
  const [root] = await readRoots(join(project.dir, 'trust/1.root.json'), 'probe')
  const place = `${github.webUrl}/releases/latest/download`
  return { ...project, github, verify: () => verifyPublished({ place, root }) }
}

/** Holds requests until so many have come. */
function gather(count: number): () => Promise<void> {
  let left = count
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return async () => {
    if (--left === 0) open()
    await opened
  }
}

test(`case 94: of two releases at once, ${ROUNDS} times, one wins, and the other is told who`, async (t) => {
  const { config, github, release, verify } = await makeStage(t)
  await release('1.0.0', {}, { env: ENV })
  const workers = [startWorker(), startWorker()]
  t.after(() => workers.forEach(({ end }) => end()))
  for (let round = 1; round <= ROUNDS; round++) {
    const arrive = gather(2)
    let arrived = 0
    github.fault = async ({ method, path }) => {
      if (method === 'POST' && path === '/git/refs' && ++arrived <= 2) await arrive()
      return undefined
    }
    const versions = [`1.${round}.1`, `1.${round}.2`]
    const outcomes = await Promise.all(
      workers.map(({ release: run }, index) => run({ config, version: versions[index] ?? '', env: ENV })),
    )
    const winner = outcomes.findIndex(({ kind }) => kind === 'published')
    const [won, lost] = [outcomes[winner], outcomes[1 - winner]]
    assert.ok(won?.kind === 'published' && lost?.kind === 'failed', JSON.stringify(outcomes))
    assert.deepEqual([lost.code, lost.exitCode], ['ERR_PUBLISH_CONFLICT', 27])
    assert.match(lost.message, new RegExp(`${versions[winner]?.replaceAll('.', '\\.')} on stable`))
    const { version, sequence } = await verify()
    assert.deepEqual([version, sequence], [versions[winner], round + 1])
  }
  t.diagnostic(`${ROUNDS} rounds, ${github.requests.length} requests`)
})

for (const path of ['version.json', 'beta/version.json']) {
  test(`case 94: where the lock was lost, one of two replaces ${path}, ${ROUNDS} times`, async (t) => {
    const github = await startGitHub(t)
    const publishers = [openDouble(github), openDouble(github)]
    let expected: string | undefined
    for (let round = 0; round < ROUNDS; round++) {
      const arrive = gather(2)
      let arrived = 0
      github.fault = async ({ method, path: at }) => {
        // Both have read what they replace.
        if (method === 'POST' && at.endsWith('/assets') && ++arrived <= 2) await arrive()
        return undefined
      }
      const texts = [0, 1].map((index) =>
        JSON.stringify({ version: `1.${round}.${index}`, rollout: { sequence: round + 1 } }),
      )
      const outcomes = await Promise.allSettled(
        publishers.map((publisher, index) => publisher.replaceManifest(path, bytesOf(texts[index] ?? ''), expected)),
      )
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
      const loser = outcomes[1 - winner]
      assert.ok(winner !== -1 && loser?.status === 'rejected', JSON.stringify(outcomes))
      // A channel that is not public yet does not tell who is about to win it.
      const who = round === 0 ? /./ : new RegExp(`another release won, and 1\\.${round}\\.${winner} is live`)
      assert.throws(() => assert.fail(loser.reason as Error), failsWith('ERR_PUBLISH_CONFLICT', who))
      const live = await publishers[0]?.read(path, 1000)
      assert.equal(new TextDecoder().decode(live), texts[winner])
      expected = sha256(bytesOf(texts[winner] ?? ''))
    }
  })
}

const LIBRARY = new URL('../../../release/index.ts', import.meta.url).href
const PROGRAM = `
  import { release } from ${JSON.stringify(LIBRARY)}
  const [config, version] = process.argv.slice(1)
  await release({ config, version }, { env: ${JSON.stringify(ENV)} })`

function startRelease({ config, dir }: Fixture, version: string): ChildProcess {
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', PROGRAM, config, version]
  return spawn(process.execPath, args, { env: { ...process.env, TMPDIR: dir }, stdio: ['ignore', 'ignore', 'inherit'] })
}

test('a release that is killed after any of its requests leaves a whole manifest, and the next run finishes it', async (t) => {
  const stage = await makeStage(t)
  const { github, writeAgents, release, verify } = stage
  await release('1.0.0', {}, { env: ENV })
  const first = 1 + (Date.now() % KILL_EVERY)
  for (let round = 1; ; round++) {
    const killAt = first + (round - 1) * KILL_EVERY
    const version = `1.${round}.0`
    await writeAgents(`echo ${killAt} ${'first build '.repeat(50)}`)
    const child = startRelease(stage, version)
    const ended = once(child, 'exit') as Promise<[number | null, string | null]>
    let changes = 0
    github.onChange = async () => {
      if (++changes !== killAt) return
      child.kill('SIGKILL')
      await ended
    }
    const [code, signal] = await ended
    github.onChange = () => {}
    const { version: live } = await verify()
    assert.ok([version, `1.${round - 1}.0`].includes(live), live)
    if (signal === null) {
      assert.deepEqual([code, live], [0, version])
      t.diagnostic(
        `killed after requests ${first}, ${first + KILL_EVERY}, ... up to ${killAt - KILL_EVERY} that change something`,
      )
      assert.ok(killAt > 15, String(killAt))
      return
    }
    if (live !== version) await writeAgents(`echo ${killAt} ${'second build '.repeat(50)}`)
    const { kind } = await release(version, {}, { env: ENV })
    assert.equal(kind, live === version ? 'unchanged' : 'published', `killed after request ${killAt}`)
    assert.equal((await verify()).version, version)
    const left = [...github.state.releases.values()].filter(({ draft }) => draft).map(({ tag }) => tag)
    assert.deepEqual(left, ['stable'], `killed after request ${killAt}`)
    assert.ok(!github.state.refs.has('refs/moult/lock'))
  }
})
