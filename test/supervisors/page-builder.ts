// The machine that releases in the pages of docs: Moult is packed and installed as they say, in a folder of the test.

import assert from 'node:assert/strict'

import { freePort, REPOSITORY, type RunOptions, type Scene, until } from '../helpers/moult.ts'
import { type Block, openShell, type Shell } from './page-commands.ts'

export interface Builder {
  readonly shell: Shell
  /** What a block is run with in place of the port of the page. */
  readonly port: number
  /** Where `npm install --global` puts things. */
  readonly prefix: string
  readonly env: Readonly<Record<string, string>>
}

/** @param checkout the block for a checkout of Moult */
export async function openBuilder(
  scene: Scene,
  checkout: Block | undefined,
  more: Readonly<Record<string, string>> = {},
): Promise<Builder> {
  const folder = scene.folder('builder')
  const prefix = scene.folder('global')
  const env = {
    ...more,
    PATH: `${prefix}/bin:${process.env['PATH']}`,
    npm_config_prefix: prefix,
    npm_config_pack_destination: folder,
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  }
  const ok = async (command: string, options: RunOptions): Promise<void> => {
    const { code, stdout, stderr } = await scene.run('sh', ['-c', command], options)
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`)
  }
  const lines = checkout?.commands.trimEnd().split('\n')
  // The first has been run: these tests need what it installs.
  assert.deepEqual(lines, ['npm ci', 'npm pack', 'npm install --global ./moult-0.1.0.tgz'])
  await ok('npm pack', { cwd: REPOSITORY, env })
  await ok('npm install --global ./moult-0.1.0.tgz', { cwd: folder, env })
  const port = await freePort()
  const shell = openShell(scene, 'builder', folder, (command, args) => scene.run(command, args, { env }))
  const isServed = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/version.json`).catch(() => undefined))?.status === 200
  const shellWithPort: Shell = async (commands) => {
    const result = await shell(commands.replaceAll('8090', String(port)))
    // A reader is slower than the server is to start.
    if (commands.includes('moult serve')) await until('the update server', isServed)
    return result
  }
  return { shell: shellWithPort, port, prefix, env }
}
