import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { checkOnce } from '../../../agent/check-once.ts'
import type { AgentEvent } from '../../../agent/events/events.ts'
import { runHook } from '../../../agent/stage/hooks.ts'
import { readLaunchRecord } from '../../../agent/home/launch-record.ts'
import { prepareLaunch } from '../../../agent/trial/launch.ts'
import { readReceipt } from '../../../agent/home/receipt.ts'
import { settle } from '../../../agent/trial/settle.ts'
import { loadState } from '../../../agent/home/state.ts'
import { Updater } from '../../../agent/updater.ts'
import type { JsonValue } from '../../../manifests/index.ts'
import {
  assertTidy,
  BOUNDED,
  failureOf,
  type Host,
  makeDir,
  makeMachine,
  type Machine,
  NOW,
  type Offer,
  program,
  publish,
  settingsAt,
  startHost,
  waitFor,
  whatRuns,
} from '../field.ts'

const VERSION = '1.0.1'
const DAY_MS = 86_400_000

interface Trial {
  readonly host: Host
  readonly machine: Machine
  /** What the hooks write to. */
  readonly log: string
}

/** An offer of a tree with these hooks: member of the manifest to the body of a script. */
function treeWith(t: TestContext, hooks: Record<string, string>, paths: Record<string, JsonValue> = {}): Offer {
  const tree = makeDir(t)
  fs.mkdirSync(join(tree, 'hooks'))
  fs.writeFileSync(join(tree, 'agent'), program(VERSION), { mode: 0o755 })
  for (const [name, body] of Object.entries(hooks))
    fs.writeFileSync(join(tree, 'hooks', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  const artifact = execFileSync('tar', ['-c', '--format=ustar', '-C', tree, 'agent', 'hooks'])
  const named = Object.fromEntries(Object.keys(hooks).map((name) => [name, `hooks/${name}`]))
  return { version: VERSION, artifact, binary: { unpack: 'tar', entry: 'agent', hooks: { ...named, ...paths } } }
}

async function setUp(t: TestContext, hooks: (log: string) => Record<string, string>): Promise<Trial> {
  const host = await startHost(t)
  const log = join(makeDir(t), 'log')
  publish(host, treeWith(t, hooks(log)))
  return { host, machine: await makeMachine(t, host), log }
}

/** The machine with the new version installed and started once. */
async function onTrial(t: TestContext, hooks: (log: string) => Record<string, string>): Promise<Trial> {
  const trial = await setUp(t, hooks)
  assert.equal((await trial.machine.poll()).kind, 'swapped')
  assert.equal(prepareLaunch(trial.machine.home, assert.fail).trial, 1)
  return trial
}

const read = (path: string): string => (fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : '')

describe('the pre_update hook', { ...BOUNDED, concurrency: true }, () => {
  test('runs in the unpacked release before the swap, with a clean environment and no shell', async (t) => {
    process.env['HOOK_SECRET'] = 'of the agent'
    t.after(() => delete process.env['HOOK_SECRET'])
    const { machine, log } = await setUp(t, (path) => ({
      pre_update: `pwd >'${path}'; echo "$#" >>'${path}'; env | sort >>'${path}'; ls >>'${path}'`,
    }))
    const { home, poll } = machine
    const before = fs.readFileSync(home.current, 'utf8')
    assert.equal((await poll()).kind, 'swapped')
    assert.notEqual(fs.readFileSync(home.current, 'utf8'), before)
    const [directory, count, ...rest] = read(log).trimEnd().split('\n')
    assert.equal(directory, fs.realpathSync(home.staging) + `/${VERSION}.staged`)
    assert.equal(count, '0')
    const names = rest.flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? [])
    const shellsOwn = ['PWD', 'OLDPWD', 'SHLVL', '_']
    assert.deepEqual(
      names.filter((name) => !shellsOwn.includes(name) && name !== 'LANG' && name !== 'HOME'),
      ['MOULT_HOME', 'MOULT_HOOK', 'MOULT_PREVIOUS', 'MOULT_VERSION', 'PATH'],
    )
    for (const line of [
      `MOULT_HOME=${home.path}`,
      'MOULT_HOOK=pre_update',
      'MOULT_PREVIOUS=1.0.0',
      `MOULT_VERSION=${VERSION}`,
    ])
      assert.ok(rest.includes(line), line)
    assert.ok(rest.includes('agent'))
    assert.deepEqual(
      machine.events.flatMap((event) => (event.kind === 'hook-done' ? event.hook : [])),
      ['pre_update'],
    )
  })

  test('that fails stops the update, is told with the end of its output, and is tried again after a day', async (t) => {
    const { machine, log } = await setUp(t, (path) => ({
      pre_update: `echo x >>'${path}'; i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done; echo 'no room' >&2; exit 3`,
    }))
    const { home, settings, poll } = machine
    const before = whatRuns(home)
    const error = await failureOf(() => poll())
    assert.equal(error.code, 'ERR_STAGE_HOOK')
    assert.match(error.message, /the pre_update hook of the release ended with exit status 3: 1\.0\.1/)
    assert.equal(error.hint, 'It said: no room')
    const output = String(error.details['output'])
    assert.ok(output.length <= 4096 && output.endsWith('line 1999\nno room\n'), output.slice(-60))
    assert.deepEqual(whatRuns(home), before)
    assertTidy(home)
    assert.equal(loadState(home, settings.root, assert.fail).quarantine[0]?.reason, 'pre-hook')

    const held = await poll()
    assert.ok(held.kind === 'checked' && held.decision.kind === 'refuse' && held.decision.reason === 'quarantined')
    assert.equal(read(log), 'x\n')
    const later = await failureOf(() => poll({ deps: { clock: () => NOW + DAY_MS + 1000 } }))
    assert.equal(later.code, 'ERR_STAGE_HOOK')
    assert.equal(read(log), 'x\nx\n')
  })

  test('is run for no first version: that is no update', async (t) => {
    const { machine, log } = await setUp(t, (path) => ({
      pre_update: `echo pre >>'${path}'`,
      post_update: `echo post >>'${path}'`,
    }))
    const { home, poll } = machine
    for (const path of [home.current, home.confirmed]) fs.rmSync(path)
    assert.equal((await poll()).kind, 'swapped')
    assert.equal(whatRuns(home).answers, VERSION)
    assert.equal(read(log), '')
  })

  for (const [name, paths, unpack] of [
    ['a hook that is not in the archive', { pre_update: 'hooks/absent' }, 'tar'],
    ['a later hook that is not in the archive', { post_update: 'hooks/absent' }, 'tar'],
    ['a hook that is a directory', { pre_update: 'hooks' }, 'tar'],
    ['a hook without an archive', { pre_update: 'hooks/pre_update' }, 'file'],
  ] as const) {
    test(`is not begun with ${name}`, async (t) => {
      const { host, machine, log } = await setUp(t, (path) => ({ pre_update: `echo x >>'${path}'` }))
      const offer = treeWith(t, { pre_update: `echo x >>'${log}'` }, paths)
      const plain = { version: VERSION, artifact: program(VERSION), binary: { hooks: paths } }
      publish(host, unpack === 'tar' ? offer : plain)
      const before = whatRuns(machine.home)
      assert.equal((await failureOf(() => machine.poll())).code, 'ERR_STAGE_ARCHIVE')
      assert.deepEqual(whatRuns(machine.home), before)
      assert.equal(read(log), '')
    })
  }

  test('that hangs is killed with all that it has started', async (t) => {
    const { machine, log } = await setUp(t, (path) => ({
      pre_update: `trap '' TERM; sleep 1000 & echo $! >'${path}'; wait; sleep 1000`,
    }))
    const settings = { ...machine.settings, installTimeoutMs: 2000 }
    const { update } = await import('../../../agent/update.ts')
    const { withLock } = await import('../../../agent/home/lock.ts')
    const error = await failureOf(() => withLock(machine.home, () => update(settings, { apply: true }, machine.deps)))
    assert.equal(error.code, 'ERR_STAGE_HOOK')
    assert.match(error.message, /did not end within 2 s/)
    const pid = Number(read(log))
    await waitFor(() => hasEnded(pid), 'its child has ended')
    assert.equal(whatRuns(machine.home).launched, '1.0.0')
  })

  test('that cannot be started for want of descriptors is a failure, and the agent works on', (t) => {
    const directory = makeDir(t)
    const [hooks, home] = ['stage/hooks.ts', 'home/home.ts'].map((path) =>
      import.meta.resolve(`../../../agent/${path}`),
    )
    const script = `
      import { openSync } from 'node:fs'
      import { runHook } from ${JSON.stringify(hooks)}
      import { homeAt } from ${JSON.stringify(home)}
      const run = {
        home: homeAt('/'), hook: 'pre_update', directory: '/', path: '/bin/true', version: '1.0.1', previous: '1.0.0', limitMs: 1000,
      }
      await runHook(run)
      try { for (;;) openSync('/dev/null', 'r') } catch {}
      const code = await runHook(run).then(() => 'done', (error) => error.code ?? String(error))
      setTimeout(() => { console.log(code); process.exit(0) }, 50)`
    fs.writeFileSync(join(directory, 'agent.mjs'), script)
    const command = 'ulimit -n 64; exec "$0" --import "$1" "$2"'
    const args = ['-c', command, process.execPath, import.meta.resolve('tsx'), join(directory, 'agent.mjs')]
    const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8', timeout: 30_000 })
    assert.equal(stdout, 'ERR_STAGE_HOOK\n', stderr)
  })

  test('ends with the agent, and the next start runs it again', async (t) => {
    const { machine, log } = await setUp(t, (path) => ({
      pre_update: `echo x >>'${path}'; [ "$(grep -c x '${path}')" -gt 1 ] || { echo $$ >'${path}.pid'; sleep 1000; }`,
    }))
    const stop = new AbortController()
    const first = machine.poll({ deps: { signal: stop.signal } })
    first.catch(() => undefined)
    await waitFor(() => read(`${log}.pid`).endsWith('\n'), 'the hook runs')
    stop.abort()
    await assert.rejects(first, { name: 'AbortError' })
    await waitFor(() => hasEnded(Number(read(`${log}.pid`))), 'the hook has ended')
    assert.deepEqual(loadState(machine.home, machine.settings.root, assert.fail).quarantine, [])
    assert.equal((await machine.poll()).kind, 'swapped')
    assert.equal(read(log), 'x\nx\n')
  })

  test('is run as a file: a name that a shell would take apart is a name', async (t) => {
    const { home } = await makeMachine(t, { url: 'http://127.0.0.1:1' })
    const directory = makeDir(t)
    const path = join(directory, 'a; touch b $(touch c)')
    fs.writeFileSync(path, '#!/bin/sh\nexit 0\n', { mode: 0o755 })
    const run = {
      home,
      hook: 'pre_update',
      directory,
      path,
      version: VERSION,
      previous: '1.0.0',
      limitMs: 60_000,
    } as const
    await runHook(run)
    assert.equal(fs.readdirSync(directory).length, 1)
    fs.chmodSync(path, 0o644)
    const error = await failureOf(() => runHook(run))
    assert.match(error.message, /cannot be run: .*EACCES/)
  })
})

describe('the post_update hook', { ...BOUNDED, concurrency: true }, () => {
  function updaterOf(t: TestContext, { machine }: Trial, events: AgentEvent[] = []) {
    let restarts = 0
    const updater = new Updater({
      version: VERSION,
      home: machine.home.path,
      settings: { server: machine.settings.url.href, interval: '1s', probation: '100ms', retries: 0 },
      firstPollMs: 0,
      env: {},
      clock: () => NOW,
      random: () => 0,
      onEvent: (event) => events.push(event),
      restart: () => void (restarts += 1),
    })
    t.after(() => updater.stop())
    return { updater, events, restarts: () => restarts }
  }
  const kindsOf = (events: readonly AgentEvent[]): string[] =>
    events
      .map(({ kind }) => kind)
      .filter((kind) => ['hook-done', 'hook-failed', 'trial', 'confirmed', 'rolled-back'].includes(kind))

  test('runs once in the new version, before its health counts', async (t) => {
    const trial = await onTrial(t, (path) => ({
      post_update: `echo "$MOULT_HOOK $MOULT_VERSION $MOULT_PREVIOUS $PWD" >>'${path}'`,
    }))
    const { home } = trial.machine
    assert.equal(readReceipt(home, VERSION)?.postUpdate, 'hooks/post_update')
    const first = updaterOf(t, trial)
    first.updater.start()
    await waitFor(() => first.events.some(({ kind }) => kind === 'confirmed'), 'confirmed')
    assert.deepEqual(kindsOf(first.events), ['hook-done', 'trial', 'confirmed'])
    const line = `post_update ${VERSION} 1.0.0 ${fs.realpathSync(join(home.versions, VERSION))}\n`
    assert.equal(read(trial.log), line)
    assert.equal(readReceipt(home, VERSION)?.postUpdate, undefined)
    assert.equal(readReceipt(home, VERSION)?.entry, 'agent')
    assert.equal(prepareLaunch(home, assert.fail).version, VERSION)
  })

  test('that fails rolls the version back, which is then quarantined for that', async (t) => {
    const trial = await onTrial(t, () => ({ post_update: 'echo sorry; exit 1' }))
    const { home, settings } = trial.machine
    const { updater, events, restarts } = updaterOf(t, trial)
    updater.start()
    await waitFor(() => restarts() === 1, 'the restart')
    assert.deepEqual(kindsOf(events), ['hook-failed'])
    assert.deepEqual(readLaunchRecord(home.current), {
      version: '1.0.0',
      failed: { version: VERSION, reason: 'post-hook' },
    })
    await settle(settings, trial.machine.deps)
    assert.equal(loadState(home, settings.root, assert.fail).quarantine[0]?.reason, 'post-hook')
    const later = await trial.machine.poll({ deps: { clock: () => NOW + DAY_MS + 1000 } })
    assert.ok(later.kind === 'checked' && later.decision.kind === 'refuse', 'not tried again after a day')
  })

  test('runs again after a start that was cut off in the middle of it', async (t) => {
    const trial = await onTrial(t, (path) => ({
      post_update: `echo x >>'${path}'; [ "$(grep -c x '${path}')" -gt 1 ] || sleep 1000`,
    }))
    const first = updaterOf(t, trial)
    first.updater.start()
    await waitFor(() => read(trial.log) === 'x\n', 'the hook runs')
    await first.updater.stop()
    assert.deepEqual(kindsOf(first.events), [])
    assert.equal(readLaunchRecord(trial.machine.home.current)?.version, VERSION)
    const second = updaterOf(t, trial)
    second.updater.start()
    await waitFor(() => second.events.some(({ kind }) => kind === 'confirmed'), 'confirmed')
    assert.equal(read(trial.log), 'x\nx\n')
  })

  test('is run by the next check of a program that knows nothing of updates, once', async (t) => {
    const { machine, log } = await setUp(t, (path) => ({ post_update: `echo x >>'${path}'` }))
    const { home, settings, deps } = machine
    await machine.poll()
    await checkOnce(settings, { apply: true }, deps)
    assert.equal(read(log), '', 'not before the version was started')
    prepareLaunch(home, assert.fail)
    await checkOnce(settings, { apply: false }, deps)
    assert.equal(read(log), '', 'not by a check that only looks')
    for (let check = 0; check < 3; check += 1) await checkOnce(settings, { apply: true }, deps)
    assert.equal(read(log), 'x\n')
  })

  test('that fails in such a check rolls back, and the check says so', async (t) => {
    const { machine } = await onTrial(t, () => ({ post_update: 'exit 1' }))
    const result = await checkOnce(machine.settings, { apply: true }, machine.deps)
    assert.ok(result.kind === 'checked' && result.decision.kind === 'refuse')
    assert.deepEqual(readLaunchRecord(machine.home.current), { version: '1.0.0' })
    assert.deepEqual(
      machine.events.flatMap((event) => (event.kind === 'rolled-back' ? event.reason : [])),
      ['post-hook'],
    )
  })

  test('that fails in such a check has the version before started, also while the host is down', async (t) => {
    const { host, machine } = await onTrial(t, () => ({ post_update: 'exit 1' }))
    host.answer('version.json', (_, response) => response.writeHead(500).end())
    const agent = spawn('sleep', ['60'], { stdio: 'ignore' })
    t.after(() => agent.kill('SIGKILL'))
    const ended = once(agent, 'exit')
    fs.writeFileSync(join(machine.home.path, 'pid'), `${agent.pid}\n`)
    const settings = settingsAt(machine.home, host, {
      restart: { method: 'signal', signal: 'SIGUSR1', pidFile: 'pid' },
    })
    const { code } = await failureOf(() => checkOnce(settings, { apply: true }, machine.deps))
    assert.equal(code, 'ERR_NETWORK_STATUS')
    assert.equal(readLaunchRecord(machine.home.current)?.version, '1.0.0')
    assert.deepEqual(await ended, [null, 'SIGUSR1'])
  })
})

/** A zombie counts: it waits only for whoever adopted it. */
function hasEnded(pid: number): boolean {
  try {
    return /^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
