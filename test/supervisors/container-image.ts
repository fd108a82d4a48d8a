// An image of programs of this machine, as no registry is asked: it stands for the one that a Containerfile begins with.

import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import { REPOSITORY, type Scene } from '../helpers/moult.ts'

/** What the launcher needs, and the agents of these tests. */
const PROGRAMS = ['sh', 'cat', 'chmod', 'cp', 'date', 'env', 'mkdir', 'mv', 'rm', 'sha256sum', 'sleep', 'sync', 'node']

/** Lays out a root file system, and returns its path. */
export async function layOutImage(scene: Scene): Promise<string> {
  const root = scene.folder('image')
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const isLink = existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink()
    if (isLink) symlinkSync(readlinkSync(`/${name}`), join(root, name))
    mkdirSync(join(root, isLink ? readlinkSync(`/${name}`) : name), { recursive: true })
  }
  for (const folder of ['tmp', 'proc', 'sys', 'dev', 'etc', 'usr/local/bin', 'usr/local/lib'])
    scene.folder('image', folder)
  writeFileSync(join(root, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  const copy = (path: string, as = path): void => cpSync(realpathSync(path), join(root, as))
  for (const name of PROGRAMS) {
    const { stdout } = await scene.run('which', [name])
    const path = name === 'node' ? process.execPath : stdout.trim()
    copy(path, join('/usr/bin', name))
    const { stdout: libraries } = await scene.run('ldd', [path])
    for (const [library] of libraries.matchAll(/\/\S+\.so\S*/g)) {
      mkdirSync(dirname(join(root, library)), { recursive: true })
      if (!existsSync(join(root, library))) copy(library)
    }
  }
  return root
}

/** Puts `moult` into the root file system, with the packages that it runs on. */
export async function addMoult(scene: Scene, root: string): Promise<void> {
  const place = '/usr/local/lib/moult'
  const { stdout } = await scene.run('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: REPOSITORY })
  for (const path of stdout.split('\n').filter((line) => line.includes('/node_modules/'))) {
    const inside = path.slice(path.indexOf('/node_modules/'))
    // A compiler: releases need it, agents do not.
    if (!inside.includes('esbuild')) cpSync(path, join(root, place, inside), { recursive: true })
  }
  for (const name of ['dist', 'package.json'])
    cpSync(join(REPOSITORY, name), join(root, place, name), { recursive: true })
  symlinkSync(`${place}/dist/cli/main.js`, join(root, 'usr/local/bin/moult'))
}
