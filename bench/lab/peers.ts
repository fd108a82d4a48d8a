// The programs and libraries from npm that Moult is measured against. They are no dependencies of Moult: bench/peers has a
// lock file of its own, and they are installed when a figure first needs them.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Bench, REPOSITORY } from './figure.ts'

/** Also handed to the processes that load a peer: they resolve from here. */
export const PEERS = join(REPOSITORY, 'bench', 'peers')

/** Installs them where they are missing; the short form goes without. @returns whether they are there */
export function hasPeers({ isShort }: Pick<Bench, 'isShort'>): boolean {
  if (existsSync(join(PEERS, 'node_modules', '.package-lock.json'))) return true
  if (isShort) return false
  console.error('installing bench/peers ...')
  const args = ['ci', '--prefix', PEERS, '--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  return true
}

/** As `name 1.2.3`. */
export function peerVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(join(PEERS, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string
  }
  return `${name} ${version}`
}
