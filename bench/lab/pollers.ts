// The processes that look for an update, and the release that they find: as Moult publishes it, and as the two others expect
// it beside it.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { type Bench, REPOSITORY } from './figure.ts'
import { hasPeers, PEERS } from './peers.ts'
import { plainScript } from './plain-script.ts'
import { initProject, MAIN, moult } from './project.ts'

export const INTERVAL_MS = 1000
const VERSION = '1.0.0'

const EMBEDDED = `import { Updater } from ${JSON.stringify(join(REPOSITORY, 'agent', 'index.ts'))}
if (process.argv.includes('--version')) console.log(__MOULT_VERSION__)
else {
  setInterval(() => undefined, 60_000)
  new Updater({ version: __MOULT_VERSION__, firstPollMs: 0 }).start()
}
`

/** In one process that stays, or as a command that starts, looks once and ends. */
export interface Poller {
  readonly name: string
  /** Undefined where it is not installed. */
  readonly command?: readonly string[] | undefined
  /** As a command, and what it is called; of those that have one. */
  readonly once?: { readonly name: string; readonly command: readonly string[] } | undefined
  /** The first one does not. */
  readonly polls: boolean
}

/** One release that all have: as Moult publishes it, and as the two others expect it beside it. */
export async function layOutProject(bench: Bench): Promise<string> {
  const project = join(bench.folder, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'embedded.mjs'), EMBEDDED)
  await initProject(bench, 'project', { type: 'script', agent: 'embedded.mjs' })
  await moult(project, 'release', VERSION)
  const publish = (path: string, text: string): void => {
    mkdirSync(dirname(join(project, 'updates', path)), { recursive: true })
    writeFileSync(join(project, 'updates', path), text)
  }
  const sha512 = Buffer.alloc(64, 'x').toString('base64')
  const files = `files:\n  - url: bench-agent-${VERSION}.AppImage\n    sha512: ${sha512}\n    size: 18500000\n`
  const yaml = `version: ${VERSION}\n${files}path: bench-agent-${VERSION}.AppImage\nsha512: ${sha512}\nreleaseDate: '2026-01-01T00:00:00.000Z'\n`
  publish('latest-linux.yml', yaml)
  publish('latest-linux-arm64.yml', yaml)
  const build = { version: VERSION, sha: 'abcdef0', baseDir: 'bench-agent', sha256gz: 'a'.repeat(64), node: '20.19.0' }
  publish(
    `channels/stable/bench-agent-linux-${process.arch}-buildmanifest`,
    JSON.stringify({ ...build, gz: `https://updates.example.com/bench-agent-v${VERSION}.tar.gz` }, null, 2),
  )
  return project
}

export async function openPollers(bench: Bench, project: string, url: string): Promise<Poller[]> {
  const install = async (name: string, ...more: readonly string[]): Promise<string> => {
    const home = join(bench.folder, name)
    const settings = ['--server', url, '--root', 'trust/1.root.json', '--interval', `${INTERVAL_MS / 1000}s`]
    await moult(project, 'agent', 'install', '--home', home, ...settings, ...more)
    return home
  }
  const bare = join(bench.folder, 'bare.mjs')
  writeFileSync(bare, 'setInterval(() => undefined, 60_000)\n')
  const program = join(bench.folder, 'program')
  const said = `#!/bin/sh\nif [ "$1" = --version ]; then echo ${VERSION}; exit; fi\nexec sleep 1000000\n`
  writeFileSync(program, said, { mode: 0o755 })
  const home = await install('embedded')
  const supervised = await install('supervised', '--program', program, '--program-version', VERSION)
  const oclifPoller = await oclif(bench, url)
  return [
    {
      name: 'a bare Node process',
      command: [process.execPath, bare],
      polls: false,
      once: { name: '`node --eval 0`', command: [process.execPath, '--eval', '0'] },
    },
    {
      name: 'Moult, inside the agent',
      command: [join(home, 'launch')],
      polls: true,
      once: {
        name: '`moult agent check`',
        command: [process.execPath, MAIN, 'agent', 'check', '--home', home],
      },
    },
    {
      name: 'Moult, as a supervisor',
      command: [process.execPath, MAIN, 'agent', 'run', '--home', supervised],
      polls: true,
    },
    { name: 'electron-updater', command: await electronUpdater(bench, url), polls: true },
    oclifPoller === undefined
      ? { name: 'oclif update', polls: true }
      : {
          name: 'oclif update',
          command: [...oclifPoller, String(INTERVAL_MS)],
          polls: true,
          once: { name: 'oclif update', command: [...oclifPoller, '0'] },
        },
  ]
}

async function electronUpdater(bench: Bench, url: string): Promise<readonly string[] | undefined> {
  if (!hasPeers(bench)) return undefined
  const folder = join(bench.folder, 'electron')
  mkdirSync(folder)
  const script = await plainScript('poll-electron-updater', bench.folder)
  return [process.execPath, script, PEERS, url, String(INTERVAL_MS), folder]
}

/** oclif's command line with nothing in it but its settings of where updates are; the interval is missing. */
async function oclif(bench: Bench, url: string): Promise<readonly string[] | undefined> {
  if (!hasPeers(bench)) return undefined
  const root = join(bench.folder, 'oclif')
  mkdirSync(root)
  const update = { s3: { host: url }, disableNpmLookup: true }
  writeFileSync(
    join(root, 'package.json'),
    JSON.stringify({ name: 'bench-agent', version: `${VERSION}-abcdef0`, oclif: { bin: 'bench-agent', update } }),
  )
  const script = await plainScript('poll-oclif', bench.folder)
  return [process.execPath, script, PEERS, root]
}
