// The agent of these tests and its publisher: a project whose releases are served, and a home that a unit runs. Each
// process writes what happens to it into one log, with the time, as supervisors keep their output in different places.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { homeAt } from '../../agent/home/home.ts'
import type { ServiceKind } from '../../agent/install/service-files.ts'
import { readLaunchRecord } from '../../agent/home/launch-record.ts'
import { platformOf } from '../../manifests/platform.ts'
import { type AgentStatus, processesWith, readJson, REPOSITORY, type Scene, until } from '../helpers/moult.ts'

export const NAME = 'sensor'
/** Whether the agent embeds the updater and the launcher starts it, or `moult agent run` does both from outside. */
export type Way = 'launcher' | 'supervised'
export const WAYS: readonly Way[] = ['launcher', 'supervised']

/** How a version behaves once it really runs. */
export type Behaviour = 'works' | 'crashes'

export interface LogEntry {
  readonly atMs: number
  readonly version: string
  readonly event: 'starts' | 'stops' | 'crashes'
}

/** Knows nothing of updates. */
const PROGRAM = `#!/bin/sh
[ "$1" != --version ] || { echo @VERSION@; exit; }
note() { echo "$(date +%s%3N) @VERSION@ $1" >>"$MOULT_HOME/sensor.log"; }
trap 'note stops; kill $!; exit 0' TERM
note starts
if [ @BEHAVIOUR@ = crashes ]; then note crashes; exit 3; fi
while :; do sleep 60 & wait; done
`

/** Embeds the updater; TypeScript, that a release bundles into one file. */
const EMBEDDING = `import { appendFileSync } from 'node:fs'
import { Updater } from 'moult/agent'

const version = __MOULT_VERSION__
const note = (event) => appendFileSync(process.env.MOULT_HOME + '/sensor.log', Date.now() + ' ' + version + ' ' + event + '\\n')
if (process.argv.includes('--version')) {
  console.log(version)
} else {
  const updater = new Updater({ version })
  process.once('SIGTERM', () => {
    note('stops')
    void updater.stop().then(() => process.exit(0))
  })
  note('starts')
  if ('@BEHAVIOUR@' === 'crashes') {
    note('crashes')
    process.exit(3)
  }
  updater.start()
  setInterval(() => undefined, 60_000)
}
`

export class Sensor {
  readonly scene: Scene
  readonly way: Way
  /** The home as this test sees it. */
  home: string
  /** The home as the agent sees it. */
  ownHome: string
  readonly #project: string
  #url = ''

  constructor(scene: Scene, way: Way) {
    this.scene = scene
    this.way = way
    this.home = this.ownHome = join(scene.folder('state'), NAME)
    this.#project = scene.folder('project')
  }

  /** Publishes the first version and serves what is published. */
  async begin(version: string): Promise<void> {
    mkdirSync(join(this.#project, 'node_modules'))
    symlinkSync(REPOSITORY, join(this.#project, 'node_modules', 'moult'), 'dir')
    this.scene.write('project/agent.ts', '')
    await this.scene.moultOk(['init', '--name', NAME, '--type', 'script', '--agent', 'agent.ts'], {
      cwd: this.#project,
    })
    const build =
      this.way === 'launcher' ? { type: 'script', entry: 'agent.ts' } : { type: 'files', path: 'agent-program' }
    const platforms = [platformOf(process.platform, process.arch)]
    this.scene.write('project/moult.config.json', JSON.stringify({ name: NAME, platforms, build }))
    await this.release(version)
    this.#url = (await this.scene.serve(this.#project)).url
  }

  async release(version: string, behaviour: Behaviour = 'works'): Promise<void> {
    const filled = (text: string): string => text.replaceAll('@VERSION@', version).replaceAll('@BEHAVIOUR@', behaviour)
    this.scene.write('project/agent.ts', filled(EMBEDDING))
    this.scene.write('project/agent-program', filled(PROGRAM), 0o755)
    await this.scene.moultOk(['release', version], { cwd: this.#project })
  }

  /** `moult agent install`, which writes the unit to `path`. */
  async install(unit: ServiceKind, path: string, ...more: readonly string[]): Promise<void> {
    const place = ['--home', this.home, '--server', this.#url, '--root', join(this.#project, 'trust', '1.root.json')]
    const way = this.way === 'supervised' ? ['--supervised'] : []
    const times = ['--interval', '1s', '--probation', '2s']
    await this.scene.moultOk(['agent', 'install', ...place, ...times, ...way, '--unit', unit, '--write', path, ...more])
  }

  /** Those of the agent and of what supervises it, wherever on this machine. */
  processes(): number[] {
    // In a pod home has the same name for everyone, and its volume lies in the folder of this test.
    const isOurs = (pid: number): boolean =>
      this.ownHome === this.home || textOf(`/proc/${pid}/mountinfo`).includes(this.scene.root.slice(-6))
    return processesWith(`MOULT_HOME=${this.ownHome}`).filter(isOurs)
  }

  log(): LogEntry[] {
    return textOf(join(this.home, 'sensor.log'))
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [at, version = '', event = ''] = line.split(' ')
        return { atMs: Number(at), version, event: event as LogEntry['event'] }
      })
  }

  count(version: string, event: LogEntry['event']): number {
    return this.log().filter((entry) => entry.version === version && entry.event === event).length
  }

  /** Waits until the log ends with this, so that nothing has been started since. */
  async untilLast(version: string, event: LogEntry['event'], said: () => string): Promise<void> {
    const isLast = (): boolean => {
      const last = this.log().at(-1)
      return last?.version === version && last.event === event
    }
    const told = (): string =>
      `; log:\n${this.log()
        .map((entry) => Object.values(entry).join(' '))
        .join('\n')}\n${said()}`
    await until(`${version} ${event}`, isLast, 90_000, told)
  }

  async untilConfirmed(version: string, said: () => string): Promise<void> {
    const isConfirmed = (): boolean => {
      const record = readLaunchRecord(homeAt(this.home).current)
      return record?.version === version && record.trial === undefined
    }
    await until(`${version} to be confirmed`, isConfirmed, 60_000, said)
  }

  async untilQuarantined(version: string, reason: string): Promise<void> {
    const { state } = homeAt(this.home)
    const isThere = (): boolean =>
      existsSync(state) &&
      readJson<Pick<AgentStatus, 'quarantine'>>(state).quarantine.some(
        (entry) => entry.version === version && entry.reason === reason,
      )
    await until(`${version} to be in quarantine`, isThere, 60_000)
  }

  /** From the first crash of `bad` to the next start of `good`, by the clock of the machine. */
  rollbackMs(bad: string, good: string): number {
    const log = this.log()
    const crash = log.findIndex(({ version, event }) => version === bad && event === 'crashes')
    const back = log.find(({ version, event }, index) => index > crash && version === good && event === 'starts')
    assert.ok(crash >= 0 && back !== undefined, `${bad} did not go back to ${good}`)
    return back.atMs - (log[crash]?.atMs ?? 0)
  }
}

/** What is not there yet, or no more, is empty. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
