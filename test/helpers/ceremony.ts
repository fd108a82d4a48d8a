// What the stories of the ceremonies are told with: a project whose roles have keys of their own, agents that are awake
// or asleep, and a thief with a stolen key and a host of his own. All commands are real processes.

import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  decodeBase64,
  type ErrorCode,
  formatDate,
  type JsonObject,
  RELEASE_UNSIGNED,
  ROLLOUT_UNSIGNED,
  SEED_BYTES,
  statementDigest,
} from '../../manifests/index.ts'
import { signerOfSeed } from '../../release/index.ts'
import { signDocument } from '../../release/sign.ts'
import { type Finished, jsonOf, MAIN, readJson, type Scene } from './moult.ts'

const DAY_MS = 86_400_000
export const NAME = 'tide-gauge'

/** What an agent has come to believe. */
export interface Belief {
  readonly version: string
  readonly sequence: number
  readonly root: number
}

export interface Forgery {
  /** Labels of the stolen keys: who signs the release, and who the rollout. Without one the statement stays as it is. */
  readonly release?: string
  readonly rollout?: string
  readonly version?: string
  readonly sequence?: number
  /** Leave the chain of roots out, as if the rotation had never been. */
  readonly hidesRoots?: boolean
}

export class Ceremony {
  readonly scene: Scene
  readonly dir: string

  private constructor(scene: Scene, dir: string) {
    this.scene = scene
    this.dir = dir
  }

  /** `moult init`, and a first release by the one key that plays every role. */
  static async begin(scene: Scene): Promise<Ceremony> {
    const ceremony = new Ceremony(scene, scene.folder('first', 'project'))
    await ceremony.moult('init', '--name', NAME, '--type', 'files', '--agent', 'agent.sh')
    await ceremony.release('1.0.0')
    return ceremony
  }

  /** The same project and the same agents in another world, where the story goes on differently. */
  fork(name: string): Ceremony {
    cpSync(join(this.dir, '..'), this.scene.path(name), { recursive: true, preserveTimestamps: true })
    return new Ceremony(this.scene, this.scene.path(name, 'project'))
  }

  async moult(...args: readonly string[]): Promise<Finished> {
    return this.scene.moultOk(args, { cwd: this.dir })
  }

  /** A command that has to fail with this code. */
  async refused(code: ErrorCode, ...args: readonly string[]): Promise<{ message: string; hint?: string }> {
    const { error } = jsonOf<{ error: { code: string; message: string; hint?: string } }>(
      await this.scene.moult([...args, '--json'], { cwd: this.dir }),
    )
    assert.equal(error.code, code, error.message)
    return error
  }

  async newKeys(...labels: readonly string[]): Promise<void> {
    for (const label of labels) await this.moult('keys', 'new', `keys/${label}.key`)
  }

  /** The id of a key, from its public half. */
  async idOf(label: string): Promise<string> {
    return jsonOf<{ id: string }>(await this.moult('keys', 'public', `keys/${label}.key`, '--json')).id
  }

  keyFile(label: string): string {
    return join('keys', `${label}.key`)
  }

  /** Which keys the releasing machine has for its two roles. */
  useKeys(release: string, rollout: string): void {
    const file = join(this.dir, 'moult.config.json')
    const keys = { release: this.keyFile(release), rollout: this.keyFile(rollout) }
    writeFileSync(file, JSON.stringify({ ...readJson(file), keys }))
  }

  async replaceKey(role: 'root' | 'release' | 'rollout', old: string, fresh: string): Promise<void> {
    await this.moult('root', 'rotate', '--role', role, '--remove', await this.idOf(old), '--add', this.keyFile(fresh))
  }

  async coSign(...labels: readonly string[]): Promise<void> {
    for (const label of labels) await this.moult('root', 'sign', '--key', this.keyFile(label), '--yes')
  }

  async release(version: string): Promise<void> {
    writeFileSync(join(this.dir, 'agent.sh'), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
    await this.moult('release', version)
  }

  /** Where the folder is served; each world has its own host. */
  async serve(folder = 'updates'): Promise<string> {
    const args = ['serve', folder, '--port', '0', '--json', '--quiet']
    const server = this.scene.start(process.execPath, [MAIN, ...args], { cwd: this.dir })
    const [, url = ''] = await server.line(/^\{"url":"([^"]+)"/)
    return url.replace(/\/$/, '')
  }

  /** An agent that pins root 1 and takes the first version from the host. */
  async install(agent: string, url: string, root = join('trust', '1.root.json')): Promise<void> {
    await this.moult('agent', 'install', '--home', this.homeOf(agent), '--server', url, '--root', root)
  }

  homeOf(agent: string): string {
    return join(this.dir, '..', 'agents', agent)
  }

  poll(agent: string, url: string): Promise<Finished> {
    return this.scene.moult(['agent', 'check', '--home', this.homeOf(agent), '--server', url, '--json'])
  }

  /** The agent polls, and accepts what it is offered. */
  async accepts(agent: string, url: string): Promise<Belief> {
    const result = await this.poll(agent, url)
    assert.equal(result.code, 0, `${agent}: ${result.stdout}${result.stderr}`)
    const { offered, sequence } = jsonOf<{ offered: string; sequence: number }>(result)
    return { version: offered, sequence, root: (await this.status(agent)).rootVersion }
  }

  /** The agent polls, refuses with this code, and goes on with what it runs. */
  async refuses(agent: string, url: string, code: ErrorCode): Promise<void> {
    const before = readFileSync(join(this.homeOf(agent), 'current'), 'utf8')
    const result = await this.poll(agent, url)
    const { error } = jsonOf<{ error?: { code: string; message: string } }>(result)
    assert.equal(error?.code, code, `${agent}: ${result.stdout}`)
    assert.equal(readFileSync(join(this.homeOf(agent), 'current'), 'utf8'), before)
  }

  async status(agent: string): Promise<{ rootVersion: number; sequence: number }> {
    return jsonOf(await this.moult('agent', 'status', '--home', this.homeOf(agent), '--json'))
  }

  live(): JsonObject & { version: string; rollout: JsonObject; trust?: JsonObject[] } {
    return readJson(join(this.dir, 'updates', 'version.json'))
  }

  /** A thief signs a manifest with stolen keys; it is written to a mirror of the published files. */
  async forge(forgery: Forgery, mirror = 'mirror'): Promise<void> {
    if (!existsSync(join(this.dir, mirror)))
      cpSync(join(this.dir, 'updates'), join(this.dir, mirror), { recursive: true, preserveTimestamps: true })
    const { rollout: liveRollout, trust, ...live } = this.live()
    const { release = undefined, rollout = undefined, version = live.version } = forgery
    const wanted: JsonObject = release === undefined ? live : { ...live, version }
    const signed =
      release === undefined ? wanted : await signDocument(wanted, RELEASE_UNSIGNED, [this.#stolen(release)])
    const { signatures: _, ...terms } = liveRollout
    const statement: JsonObject = {
      ...terms,
      release: statementDigest(signed, RELEASE_UNSIGNED),
      sequence: forgery.sequence ?? Number(liveRollout['sequence']) + 1,
      issued: formatDate(Date.now()),
      expires: formatDate(Date.now() + 30 * DAY_MS),
    }
    const offered =
      rollout === undefined ? liveRollout : await signDocument(statement, ROLLOUT_UNSIGNED, [this.#stolen(rollout)])
    const chain = trust === undefined || forgery.hidesRoots === true ? {} : { trust }
    writeFileSync(join(this.dir, mirror, 'version.json'), JSON.stringify({ ...signed, rollout: offered, ...chain }))
  }

  #stolen(label: string) {
    const { seed } = readJson<{ seed: string }>(join(this.dir, this.keyFile(label)))
    return signerOfSeed(decodeBase64(seed, SEED_BYTES) ?? new Uint8Array())
  }
}
