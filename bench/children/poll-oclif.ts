// node poll-oclif.mjs <peers> <root> <interval ms, 0 for once>: what `<cli> update` of oclif does where there is none, again and again. Its
// look at a package registry, which comes before that, is switched off, as its own settings allow.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface OclifCore {
  readonly Config: { load(options: { root: string }): Promise<{ version: string; binPath?: string }> }
}

interface OclifUpdate {
  readonly Updater: new (config: unknown) => { runUpdate(options: { autoUpdate: boolean }): Promise<void> }
}

const [peers = '', root = '', intervalMs = ''] = process.argv.slice(2)
const load = createRequire(join(peers, 'package.json'))
const { Config } = load('@oclif/core') as OclifCore
// The package exports its command only.
const updater = join(peers, 'node_modules/@oclif/plugin-update/dist/update.js')
const { Updater } = (await import(pathToFileURL(updater).href)) as OclifUpdate
const config = await Config.load({ root })
config.binPath = join(root, 'bin', 'run')

const check = (): Promise<void> => new Updater(config).runUpdate({ autoUpdate: false })
if (Number(intervalMs) === 0) await check()
else setInterval(() => void check(), Number(intervalMs))
