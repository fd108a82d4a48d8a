// node poll-electron-updater.mjs <peers> <url> <interval ms> <folder>: electron-updater in plain Node, looking for an update
// again and again. What it wants of Electron is an adapter object, as its constructor takes one, and a request function:
// the one of electron-builder on node:http.

import { createRequire } from 'node:module'
import { join } from 'node:path'

interface UpdaterOfPeer {
  httpExecutor: unknown
  autoDownload: boolean
  logger: unknown
  forceDevUpdateConfig: boolean
  checkForUpdates(): Promise<{ readonly updateInfo: { readonly version: string } } | null>
  setFeedURL(feed: unknown): void
}

const [peers = '', url = '', intervalMs = '', folder = ''] = process.argv.slice(2)
const load = createRequire(join(peers, 'package.json'))
const { AppImageUpdater } = load('electron-updater/out/AppImageUpdater.js') as {
  AppImageUpdater: new (options: null, app: unknown) => UpdaterOfPeer
}
const { NodeHttpExecutor } = load('builder-util/out/nodeHttpExecutor.js') as { NodeHttpExecutor: new () => unknown }

const app = {
  version: '1.0.0',
  name: 'bench-agent',
  isPackaged: true,
  appUpdateConfigPath: join(folder, 'app-update.yml'),
  userDataPath: folder,
  baseCachePath: folder,
  whenReady: () => Promise.resolve(),
  relaunch: () => {},
  quit: () => {},
  onQuit: () => {},
}
const updater = new AppImageUpdater(null, app)
updater.httpExecutor = new NodeHttpExecutor()
updater.autoDownload = false
updater.logger = null
updater.forceDevUpdateConfig = true
updater.setFeedURL({ provider: 'generic', url })

setInterval(() => void check(), Number(intervalMs))

async function check(): Promise<void> {
  const found = await updater.checkForUpdates()
  if (found?.updateInfo.version !== app.version) throw new Error(`electron-updater found ${JSON.stringify(found)}`)
}
