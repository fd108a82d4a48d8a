// What the sync remembers between two runs: the sequence floor, the newest root, the time floor. It is the state of an
// agent, kept in a home on a disk, or in a ConfigMap where the job has no disk.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { homeAt, loadSettings, loadState, prepareHome, type Settings, type SettingsFile } from '../agent/index.ts'
import { MoultError } from '../manifests/index.ts'
import type { Cluster } from './cluster.ts'

export type StatePlace =
  | { readonly kind: 'home'; readonly path: string }
  /** `config`: an agent.json beside it, with the server and the policy. */
  | { readonly kind: 'config-map'; readonly name: string; readonly config?: string | undefined }

export interface StateOptions {
  readonly place: StatePlace
  readonly overrides: Partial<SettingsFile>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Leave the ConfigMap as it is. */
  readonly isPlan: boolean
}

const STATE_KEY = 'state.json'

/** Runs `work` with the settings and the state that were kept, and keeps the state also of work that has failed. */
export async function withState<T>(
  cluster: Cluster,
  options: StateOptions,
  work: (settings: Settings, save: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const { place, overrides, env } = options
  if (place.kind === 'home') {
    const settings = loadSettings(place.path, env, overrides)
    prepareHome(settings.home)
    return work(settings, async () => {})
  }
  const dir = await mkdtemp(join(tmpdir(), 'moult-sync-'))
  try {
    return await withConfigMap(cluster, { ...options, name: place.name, config: place.config, dir }, work)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function withConfigMap<T>(
  cluster: Cluster,
  {
    name,
    config,
    dir,
    overrides,
    env,
    isPlan,
  }: StateOptions & { name: string; config: string | undefined; dir: string },
  work: (settings: Settings, save: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const home = homeAt(dir)
  prepareHome(home)
  if (config !== undefined) await writeFile(home.config, await readConfig(config))
  let stored = await cluster.readText(name, STATE_KEY)
  if (stored.text !== undefined) await writeFile(home.state, stored.text, { mode: 0o600 })
  const loaded = loadSettings(dir, env, overrides)
  // A pod has no machine of its own, and that of its node changes: the ConfigMap stands for the cluster.
  const settings = { ...loaded, id: loaded.id ?? stored.uid }
  loadState(home, settings.root, (message) => {
    // An agent has a second copy. Without one, to go on would be to forget the floor.
    throw new MoultError('ERR_CONFIG_INVALID', `${message.replace(home.state, STATE_KEY)}: configmap/${name}`, {
      hint: `Restore it, or empty it with care: a replayed manifest is then accepted once.`,
    })
  })

  const save = async (): Promise<void> => {
    const text = await readFile(home.state, 'utf8').catch(() => undefined)
    if (isPlan || text === undefined || text === stored.text) return
    await cluster.writeText(name, STATE_KEY, text, stored)
    stored = { ...stored, text }
  }
  try {
    return await work(settings, save)
  } catch (error) {
    // Roots that were accepted on the way stay accepted. The first error is the one to tell.
    await save().catch(() => undefined)
    throw error
  }
}

async function readConfig(path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(path))
  } catch (cause) {
    throw new MoultError('ERR_CONFIG_MISSING', `cannot be read: ${path}`, { details: { path }, cause })
  }
}
