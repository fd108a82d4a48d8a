// The launcher of a container image with its home on a volume (MOULT_VOLUME): a real image directory, real volumes, kills.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { homeAt, prepareHome } from '../../agent/home/home.ts'
import { findProven, checksOf } from '../../agent/trial/fallback.ts'
import { installAgent } from '../../agent/install/install.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { withLock } from '../../agent/home/lock.ts'
import { settle } from '../../agent/trial/settle.ts'
import { loadSettings } from '../../agent/settings/settings.ts'
import { isIntact } from '../../agent/home/sums.ts'
import { compareVersions } from '../../manifests/index.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import { mountTmpfs } from './field.ts'
import { randomFrom } from '../fuzz/random.ts'
import {
  folderOf,
  IMAGE_TOOLS,
  inParallel,
  installWhole,
  killAt,
  launch,
  LAUNCHER,
  launcherWith,
  type LaunchOptions,
  newHome,
  type Outcome,
  pathOf,
  ranVersion,
  readRecord,
  type RecordFields,
  sha256,
  type Shell,
  SHELLS,
  TOOLS,
  writeRecord,
} from './shell-launcher.ts'

interface Pod {
  readonly image: string
  /** The home on the volume, which does not exist at first. */
  readonly home: string
  readonly start: (options?: LaunchOptions) => Promise<Outcome>
}

/** A pod whose image has this version; the volume can be written by everybody, as a kubelet makes it. */
function newPod(shell: Shell, version = '1.0.0', volume = folderOf('volume')): Pod {
  fs.chmodSync(volume, 0o777)
  const image = newHome('image', [])
  fs.writeFileSync(join(image, 'agent.json'), '{"server":"https://example.com"}\n', { mode: 0o600 })
  fs.writeFileSync(join(image, 'root.json'), '{"no line feed":true}')
  setImage(image, version)
  const home = join(volume, 'agent')
  const start = (options: LaunchOptions = {}): Promise<Outcome> =>
    launch(shell, image, { ...options, env: { MOULT_VOLUME: home, ...options.env } })
  return { image, home, start }
}

function setImage(image: string, version: string): void {
  fs.rmSync(join(image, 'versions'), { recursive: true, force: true })
  installWhole(image, version)
  writeRecord(image, { version })
}

/** The home on the volume has these versions, and this record. */
function layOut(home: string, versions: readonly string[], record: RecordFields): void {
  fs.mkdirSync(home, { recursive: true })
  for (const version of versions) installWhole(home, version)
  writeRecord(home, record)
}

/** Path, mode and content of everything. */
function snapshot(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const stat = fs.lstatSync(join(directory, name))
      const content = stat.isFile() ? sha256(fs.readFileSync(join(directory, name))) : ''
      return `${name} ${(stat.mode & 0o777).toString(8)} ${content}`
    })
}

const runsFrom = (outcome: Outcome): string | undefined => /^ran=(.*)$/m.exec(outcome.stdout)?.[1]

/** State as the updater writes it. */
function stateText(quarantined: readonly string[], approved: readonly string[]): string {
  const listed = (version: string) => ({ sha256: sha256(version), version, at: '2026-11-21T00:00:00Z' })
  const quarantine = quarantined.map((version) => ({ ...listed(version), reason: 'tries' }))
  return JSON.stringify({ format: 'moult-state/1', quarantine, approved: approved.map(listed) }, undefined, 2)
}

for (const shell of SHELLS) {
  describe(`the launcher of an image, under ${shell.name}`, { skip: shell.skip, concurrency: true }, () => {
    test('a home on the volume that another user has made does not choose what runs', async (t) => {
      if (process.getuid?.() !== 0) return t.skip('needs root')
      const { image, home, start } = newPod(shell)
      layOut(home, ['9.0.0'], { version: '9.0.0' })
      fs.chownSync(home, 65_534, 65_534)
      const planted = snapshot(home)
      const outcome = await start()
      assert.equal(runsFrom(outcome), '1.0.0/bin/agent', outcome.stderr)
      assert.equal(outcome.fact('home'), image)
      assert.match(outcome.stderr, /belongs to another user/)
      assert.deepEqual(snapshot(home), planted)
      fs.chownSync(home, 0, 0)
      assert.equal(runsFrom(await start()), '9.0.0/bin/agent')
    })

    test('a home that was made writable for a group, as a kubelet does at a mount, is fit for the updater again', async () => {
      const { home, start } = newPod(shell)
      await start()
      for (const path of ['', ...fs.readdirSync(home, { recursive: true, encoding: 'utf8' })]) {
        const { mode } = fs.statSync(join(home, path))
        fs.chmodSync(join(home, path), (mode & 0o7777) | (fs.statSync(join(home, path)).isDirectory() ? 0o2770 : 0o660))
      }
      assert.throws(() => prepareHome(homeAt(home)), /writable for others/)
      assert.equal(runsFrom(await start()), '1.0.0/bin/agent')
      prepareHome(homeAt(home))
      assert.equal(fs.statSync(join(home, 'versions/1.0.0/bin/agent')).mode & 0o022, 0)
    })

    test('an empty volume gets a home, from which the version of the image runs', async () => {
      const { image, home, start } = newPod(shell)
      const before = snapshot(image)
      const mask = ['/bin/sh', '-c', 'umask 000; exec "$@"', 'sh']
      const first = await start({ before: mask })
      assert.equal(runsFrom(first), '1.0.0/bin/agent', first.stderr)
      assert.equal(first.fact('home'), home)
      assert.equal(first.fact('trial'), 'unset')
      assert.ok(fs.existsSync(join(home, 'versions/1.0.0/bin/agent')))
      assert.deepEqual(readRecord(home), { version: '1.0.0' })
      assert.deepEqual(snapshot(image), before)
      const modes = ['', 'versions', 'versions/1.0.0/bin/agent', 'staging', 'launch', 'agent.json', 'root.json'].map(
        (name) => (fs.statSync(join(home, name)).mode & 0o777).toString(8),
      )
      assert.deepEqual(modes, ['755', '755', '755', '700', '755', '600', '644'])
      prepareHome(homeAt(home))
      const second = await start()
      assert.equal(ranVersion(second), '1.0.0')
      assert.equal(second.stderr, '')
    })

    test('a home that an installation has made is fit for an image as it is', async () => {
      const image = join(folderOf('image'), 'home')
      const source = folderOf('source')
      fs.writeFileSync(join(source, 'agent'), '#!/bin/sh\necho "ran=${0#*/versions/}"\n', { mode: 0o755 })
      fs.writeFileSync(join(source, 'root.json'), JSON.stringify(makeRoot()))
      const program = { path: join(source, 'agent'), version: '1.0.0' }
      const settings = { server: 'https://example.com' }
      const deps = { clock: Date.now, emit: () => undefined }
      await installAgent({ home: image, root: join(source, 'root.json'), settings, program, env: {} }, deps)
      const home = join(folderOf('volume'), 'agent')
      const outcome = await launch(shell, image, { env: { MOULT_VOLUME: home } })
      assert.equal(ranVersion(outcome), '1.0.0', outcome.stderr)
      const installed = loadSettings(home, {})
      assert.equal(installed.url.origin, 'https://example.com')
      const record = await withLock(installed.home, () => settle(installed, deps))
      assert.deepEqual(record, { version: '1.0.0' })
      assert.ok(isIntact(installed.home, '1.0.0'))
    })

    test('the volume is named to this launcher alone, and home to the agent', async () => {
      const { image, home, start } = newPod(shell)
      fs.writeFileSync(join(image, 'versions/1.0.0/bin/agent'), '#!/bin/sh\necho "volume=${MOULT_VOLUME-unset}"\n')
      fs.rmSync(join(image, 'versions/1.0.0/.sha256sums'))
      fs.writeFileSync(join(image, 'versions/1.0.0/.receipt'), 'version=1.0.0\nentry=bin/agent\n')
      for (const MOULT_LAUNCH of ['', 'stay']) {
        const outcome = await start({ env: { MOULT_LAUNCH } })
        assert.equal(outcome.fact('volume'), 'unset')
      }
      // Started where it lies on the volume, as a restart in place does, it is an ordinary launcher.
      const plain = await launch(shell, home, { env: { MOULT_VOLUME: home } })
      assert.equal(plain.fact('volume'), 'unset')
      assert.equal(plain.stderr, '')
    })

    test('a newer image beats an old home, whose version stays as the one to go back to', async () => {
      const { image, home, start } = newPod(shell)
      await start()
      setImage(image, '1.1.0')
      const outcome = await start()
      assert.equal(ranVersion(outcome), '1.1.0')
      assert.equal(outcome.fact('trial'), 'unset')
      assert.match(outcome.stderr, /version 1\.1\.0 comes with the image and runs from now on/)
      assert.deepEqual(readRecord(home), { version: '1.1.0', previous: '1.0.0' })
      const record = readLaunchRecord(join(home, 'current')) ?? assert.fail('no record')
      assert.equal(findProven(homeAt(home), record, checksOf(homeAt(home), assert.fail)), '1.0.0')
    })

    test('an older image leaves the version of home, and renews settings, root and launcher', async () => {
      const { image, home, start } = newPod(shell)
      layOut(home, ['1.4.0', '1.3.0'], { version: '1.4.0', previous: '1.3.0', trial: 0 })
      fs.writeFileSync(join(home, 'agent.json'), '{}', { mode: 0o644 })
      fs.writeFileSync(join(home, 'launch'), 'old', { mode: 0o644 })
      const outcome = await start()
      assert.equal(ranVersion(outcome), '1.4.0')
      assert.equal(outcome.fact('trial'), '1')
      assert.equal(outcome.stderr, '')
      assert.equal(fs.readFileSync(join(home, 'launch'), 'utf8'), fs.readFileSync(LAUNCHER, 'utf8'))
      assert.equal(fs.readFileSync(join(home, 'root.json'), 'utf8').trimEnd(), '{"no line feed":true}')
      fs.writeFileSync(join(image, 'agent.json'), '{"server":"https://new.example.com"}\n')
      const inode = fs.statSync(join(home, 'root.json')).ino
      await start()
      assert.equal(fs.readFileSync(join(home, 'agent.json'), 'utf8'), '{"server":"https://new.example.com"}\n')
      assert.equal(fs.statSync(join(home, 'agent.json')).mode & 0o777, 0o600)
      assert.equal(fs.statSync(join(home, 'root.json')).ino, inode, 'what is the same is not written again')
    })

    test('when the volume is deleted, the version of the image runs again', async () => {
      const { home, start } = newPod(shell)
      layOut(home, ['1.4.0'], { version: '1.4.0' })
      assert.equal(ranVersion(await start()), '1.4.0')
      fs.rmSync(home, { recursive: true })
      assert.equal(ranVersion(await start()), '1.0.0')
    })

    test('a version on trial is no way back from the image, and a failure that is not settled stays on record', async () => {
      const { home, start } = newPod(shell, '2.1.0')
      layOut(home, ['2.0.0', '1.0.0'], {
        version: '2.0.0',
        previous: '1.0.0',
        trial: 1,
        failed: '1.9.0',
        reason: 'health',
      })
      assert.equal(ranVersion(await start()), '2.1.0')
      const record = { version: '2.1.0', previous: '1.0.0', failed: '1.9.0', reason: 'health' }
      assert.deepEqual(readRecord(home), record)
    })

    test('an artifact that has failed on this volume is not brought back by the image', async () => {
      const failed = { version: '1.0.0', failed: '1.1.0', reason: 'tries' }
      const cases: readonly (readonly [string, RecordFields, string | undefined, string | undefined, string])[] = [
        ['the failure is on record', failed, undefined, undefined, '1.0.0'],
        ['it is in quarantine', { version: '1.0.0' }, stateText(['0.5.0', '1.1.0'], []), undefined, '1.0.0'],
        ['it is in quarantine in the second copy', { version: '1.0.0' }, '', stateText(['1.1.0'], []), '1.0.0'],
        ['state on one line', { version: '1.0.0' }, stateText(['1.1.0'], []).replace(/\s/g, ''), undefined, '1.0.0'],
        ['another one is', { version: '1.0.0' }, stateText(['0.5.0'], ['1.1.0']), undefined, '1.1.0'],
        ['none is', { version: '1.0.0' }, stateText([], ['1.1.0']), undefined, '1.1.0'],
      ]
      for (const [about, record, state, backup, runs] of cases) {
        const { home, start } = newPod(shell, '1.1.0')
        layOut(home, ['1.0.0'], record)
        if (state !== undefined) fs.writeFileSync(join(home, 'state.json'), state)
        if (backup !== undefined) fs.writeFileSync(join(home, 'state.json.bak'), backup)
        const outcome = await start()
        assert.equal(ranVersion(outcome), runs, about)
        if (runs === '1.0.0') assert.match(outcome.stderr, /1\.1\.0 of the image has failed here before: 1\.0\.0 stays/)
      }
    })

    test('what home has decided since is not undone by the same image, but by the next one', async () => {
      const { image, home, start } = newPod(shell, '2.0.0')
      await start()
      // As after a rollback that the publisher has signed.
      installWhole(home, '1.9.0')
      writeRecord(home, { version: '1.9.0', previous: '2.0.0', trial: 0 })
      assert.equal(ranVersion(await start()), '1.9.0')
      writeRecord(home, { version: '1.9.0' })
      assert.equal(ranVersion(await start()), '1.9.0')
      setImage(image, '2.0.1')
      assert.equal(ranVersion(await start()), '2.0.1')
    })

    test('a version that home has lost comes from the image again, and so does any when nothing is whole', async () => {
      const { home, start } = newPod(shell)
      layOut(home, ['0.9.0'], { version: '1.0.0', previous: '0.9.0' })
      assert.equal(ranVersion(await start()), '1.0.0')
      assert.deepEqual(readRecord(home), { version: '1.0.0', previous: '0.9.0' })
      installWhole(home, '1.5.0')
      fs.appendFileSync(join(home, 'versions/1.5.0/bin/agent'), '#')
      fs.appendFileSync(join(home, 'versions/1.0.0/bin/agent'), '#')
      fs.rmSync(join(home, 'versions/0.9.0'), { recursive: true })
      writeRecord(home, { version: '1.5.0', previous: '1.0.0', trial: 1 })
      const outcome = await start()
      assert.equal(ranVersion(outcome), '1.0.0')
      assert.match(outcome.stderr, /no version on the volume is whole: version 1\.0\.0 of the image runs/)
      assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '1.5.0', reason: 'damaged' })
      assert.equal((await start()).stderr, '')
    })

    test('a damaged record makes way for the image, and a whole one of what was confirmed is believed', async () => {
      const { home, start } = newPod(shell)
      layOut(home, ['1.4.0'], { version: '1.4.0' })
      fs.writeFileSync(join(home, 'current'), 'version=1.4.0\n')
      writeRecord(home, { version: '1.4.0' }, 'confirmed')
      assert.equal(ranVersion(await start()), '1.4.0')
      fs.rmSync(join(home, 'confirmed'))
      assert.equal(ranVersion(await start()), '1.0.0')
      assert.deepEqual(readRecord(home), { version: '1.0.0' })
    })

    test('an image without a version that can be started leaves home as it is', async () => {
      const { image, home, start } = newPod(shell)
      layOut(home, ['0.9.0'], { version: '0.9.0' })
      fs.rmSync(join(image, 'versions/1.0.0/bin/agent'))
      const outcome = await start()
      assert.equal(ranVersion(outcome), '0.9.0')
      assert.match(outcome.stderr, /no version in the image can be started/)
      fs.rmSync(home, { recursive: true })
      assert.equal((await start()).status, 78)
    })

    test('a full or read-only volume: the version of the image runs straight from it', async (t) => {
      const mounted = mountTmpfs(t, '64k')
      if (mounted === undefined) return t.skip('no right to mount a file system here')
      const { image, home, start } = newPod(shell, '1.1.0', mounted)
      const program = join(image, 'versions/1.1.0/bin/agent')
      const runsStraight = async (about: string): Promise<void> => {
        const outcome = await start()
        assert.equal(runsFrom(outcome), '1.1.0/bin/agent', about)
        assert.match(outcome.stderr, /version 1\.1\.0 runs straight from the image/, about)
        assert.equal(outcome.fact('home'), home, about)
      }
      fs.appendFileSync(program, `echo "straight=$0"\n: ${'x'.repeat(40_000)}\n`)
      fs.rmSync(join(image, 'versions/1.1.0/.sha256sums'))
      fs.writeFileSync(join(image, 'versions/1.1.0/.receipt'), 'version=1.1.0\nentry=bin/agent\n')
      spawnSync('mount', ['-o', 'remount,ro', mounted])
      await runsStraight('read-only and empty')
      spawnSync('mount', ['-o', 'remount,rw', mounted])
      layOut(home, ['1.0.0'], { version: '1.0.0' })
      await runsStraight('full')
      assert.deepEqual(readRecord(home), { version: '1.0.0' })
      assert.deepEqual(fs.readdirSync(join(home, 'staging')), [], 'no disk is eaten')
      spawnSync('mount', ['-o', 'remount,ro', mounted])
      await runsStraight('read-only with an old home')
      // With nothing to be written the version of home runs on.
      setImage(image, '1.0.0')
      assert.equal(ranVersion(await start()), '1.0.0')
      spawnSync('mount', ['-o', 'remount,rw,size=1m', mounted])
      setImage(image, '1.1.0')
      assert.equal(ranVersion(await start()), '1.1.0')
      assert.deepEqual(readRecord(home), { version: '1.1.0', previous: '1.0.0' })
    })

    test('a kill at any step leaves a home that starts, and the next start ends where an undisturbed one does', async () => {
      const counter = ['rm', 'cp', 'chmod', 'mv', 'sync', 'mkdir']
        .map((tool) => `${tool}() { echo ${tool} >>"$CALLS"; command ${tool} "$@"; }`)
        .join('\n')
      for (const old of [undefined, '1.0.0']) {
        const prepare = (): Pod => {
          const pod = newPod(shell, '1.1.0')
          if (old !== undefined) layOut(pod.home, [old], { version: old })
          return pod
        }
        const calm = prepare()
        const calls = join(calm.image, 'calls')
        await calm.start({ script: launcherWith(calm.image, counter), env: { CALLS: calls } })
        const end = snapshot(calm.home)
        const made = fs.readFileSync(calls, 'utf8').trimEnd().split('\n')
        assert.ok(made.length > 20, made.join(' '))
        // Before each step: the state after it is the one before the next.
        const points = made.map((tool, index) => {
          const nth = made.slice(0, index + 1).filter((other) => other === tool).length
          return { tool, nth, when: 'before' } as const
        })
        // The shells share them out, as the script is one.
        const present = SHELLS.filter(({ skip }) => skip === false)
        const own = points.filter((_, index) => index % present.length === present.indexOf(shell))
        assert.ok(own.length > 5)
        await inParallel(own, async (point) => {
          const about = `${point.when} ${point.tool} ${point.nth}, ${old ?? 'empty'}`
          const { image, home, start } = prepare()
          const killed = await start({ script: launcherWith(image, killAt(image, point)), detached: true })
          assert.equal(killed.signal, 'SIGKILL', about)
          assert.equal(killed.stdout, '', about)
          if (old !== undefined) {
            const copy = join(folderOf('copy'), 'home')
            fs.cpSync(home, copy, { recursive: true })
            fs.copyFileSync(LAUNCHER, join(copy, 'launch'))
            const alone = await launch(shell, copy)
            assert.equal(ranVersion(alone), readRecord(home)?.['version'], about)
          }
          assert.equal(ranVersion(await start()), '1.1.0', about)
          fs.rmSync(join(home, 'staging/1.1.0.staged.old'), { recursive: true, force: true }) // emptied by the updater
          assert.deepEqual(snapshot(home), end, about)
        })
      }
    })

    test('a copy that was cut off by a kill is never used', async () => {
      const { image, home, start } = newPod(shell)
      const half = `cp() {
        command mkdir "$3" "$3/bin"; command cp "$2/.receipt" "$3/.receipt"; printf '#!' >"$3/bin/agent"
        command chmod 755 "$3/bin/agent"; kill -9 0
      }`
      const killed = await start({ script: launcherWith(image, half), detached: true })
      assert.equal(killed.signal, 'SIGKILL')
      assert.equal((await launch(shell, home, { script: join(image, 'launch'), env: {} })).status, 0)
      fs.cpSync(LAUNCHER, join(home, 'launch'))
      assert.equal((await launch(shell, home)).status, 78)
      assert.equal(ranVersion(await start()), '1.0.0')
      assert.deepEqual(fs.readdirSync(join(home, 'staging')), [])
    })

    test('as the parent it starts what was installed on the volume after exit 100', async () => {
      const { image, home, start } = newPod(shell)
      const swap = 'printf "version=1.0.1\\ntrial=0\\nprevious=1.0.0\\nend\\n" >"$MOULT_HOME/current"; exit 100'
      installWhole(image, '1.0.0', { body: swap })
      installWhole(home, '1.0.1', { body: 'exit 0' })
      const outcome = await start({ env: { MOULT_LAUNCH: 'stay' } })
      assert.equal(outcome.status, 0)
      assert.deepEqual(outcome.facts('version'), ['1.0.0', '1.0.1'])
      assert.deepEqual(outcome.facts('trial'), ['unset', '1'])
      assert.equal(outcome.fact('ran'), '1.0.1/bin/agent')
    })

    test('a read-only root file system is enough, and the tools that the launcher names', async (t) => {
      const mounted = mountTmpfs(t, '4m')
      const namespace = ['unshare', '-m', '/bin/sh', '-c', 'mount -o remount,bind,ro / && exec "$@"', 'sh']
      if (mounted === undefined || spawnSync(namespace[0] ?? '', [...namespace.slice(1), 'true']).status !== 0)
        return t.skip('no right to mount a file system here')
      const tools = pathOf([...TOOLS, ...IMAGE_TOOLS], shell.busybox)
      const { start } = newPod(shell, '1.0.0', mounted)
      const before = ['/usr/bin/env', `PATH=${process.env['PATH']}`, ...namespace, '/usr/bin/env', `PATH=${tools}`]
      const outcome = await start({ before })
      assert.equal(ranVersion(outcome), '1.0.0', outcome.stderr)
      assert.equal(outcome.stderr, 'moult-launch: version 1.0.0 comes with the image and runs from now on\n')
    })

    test('versions have the order that the publisher gives them', async () => {
      const seed = Date.now() % 2 ** 32
      const random = randomFrom(seed)
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] ?? assert.fail('empty')
      const numbers = ['0', '1', '2', '9', '10', '11', '100', '4294967296', '9007199254740991']
      const words = ['a', 'A', 'alpha', 'beta', 'rc', 'rc-1', '-', '--', '0a', 'z', 'Z9', ...numbers]
      const one = (): string => {
        const core = [pick(numbers), pick(numbers.slice(0, 3)), pick(numbers.slice(0, 2))].join('.')
        const tags = Array.from({ length: Math.floor(random() * 4) }, () => pick(words)).join('.')
        const build = random() < 0.2 ? `+${pick(words)}` : ''
        return `${core}${tags === '' ? '' : `-${tags}`}${build}`
      }
      const pairs = Array.from({ length: 2000 }, () => [one(), one()] as const).flatMap(([a, b]) => [
        [a, b] as const,
        [a, `${a.split('.', 2).join('.')}.${b.split('.').slice(2).join('.')}`] as const,
      ])
      const script = fs.readFileSync(LAUNCHER, 'utf8')
      const functions = ['newer', 'later'].map(
        (name) => new RegExp(`^${name}\\(\\) \\{\\n[^]*?\\n\\}\\n`, 'm').exec(script)?.[0],
      )
      const program = `${functions.join('')}\nLC_ALL=C\nwhile read -r a b; do if newer "$a" "$b"; then echo yes; else echo no; fi; done`
      const [command = '', ...rest] = shell.command
      const input = pairs.map((pair) => `${pair.join(' ')}\n`).join('')
      const { stdout, stderr } = spawnSync(command, [...rest, '-c', program], { input, encoding: 'utf8' })
      assert.equal(stderr, '')
      const answers = stdout.trimEnd().split('\n')
      assert.equal(answers.length, pairs.length)
      for (const [index, [a, b]] of pairs.entries())
        assert.equal(answers[index], compareVersions(a, b) > 0 ? 'yes' : 'no', `seed ${seed}: ${a} against ${b}`)
    })
  })
}
