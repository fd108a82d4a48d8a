// Node single executables, as Node's own documentation makes them: a program of Node, and in it the blob of a script.

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { bundleScript } from '../../release/build/bundle-script.ts'
import { REPOSITORY } from './figure.ts'
import { PEERS } from './peers.ts'

export interface SingleExecutable {
  /** Of Moult's example agent, which is the script. */
  readonly agentVersion: string
  readonly hasCodeCache: boolean
}

/** As Node looks for it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/**
 * @param node path of a program of Node for this machine
 * @param folder for what lies between
 * @returns the path of the executable, in `folder`
 */
export async function makeSingleExecutable(
  { agentVersion, hasCodeCache }: SingleExecutable,
  node: string,
  folder: string,
): Promise<string> {
  const entry = join(REPOSITORY, 'examples', 'heartbeat-agent', 'agent.ts')
  const script = await bundleScript({ entry, version: agentVersion, platform: 'linux-amd64', cwd: REPOSITORY })
  writeFileSync(join(folder, 'agent.js'), script)
  const blob = join(folder, 'agent.blob')
  const terms = {
    main: join(folder, 'agent.js'),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: hasCodeCache,
  }
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(terms))
  const executable = join(folder, 'executable')
  copyFileSync(node, executable)
  chmodSync(executable, 0o755)
  execFileSync(executable, ['--experimental-sea-config', join(folder, 'sea.json')], { stdio: 'ignore' })
  const { inject } = createRequire(join(PEERS, 'package.json'))('postject') as {
    inject: (file: string, name: string, blob: Buffer, options: { sentinelFuse: string }) => Promise<void>
  }
  await inject(executable, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE })
  return executable
}
