// A real S3 service for tests: Ceph's gateway over one monitor and one storage daemon that keeps everything in memory.
// It checks signatures, and keeps the conditions of writes. Ready in three to ten seconds.
//
// Debian: apt-get install --no-install-recommends ceph-common ceph-mon ceph-osd radosgw

import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { freePort, until } from '../../helpers/moult.ts'

const PROGRAMS = ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph', 'ceph-authtool', 'monmaptool', 'radosgw-admin']
const READY_MS = 120_000
const run = promisify(execFile)

type Right = readonly [daemon: string, right: string]
const USERS: readonly (readonly [name: string, ...Right[]])[] = [
  ['mon.', ['mon', 'allow *']],
  ['client.admin', ['mon', 'allow *'], ['osd', 'allow *'], ['mgr', 'allow *']],
  ['osd.0', ['mon', 'allow profile osd'], ['osd', 'allow *']],
  ['client.rgw', ['mon', 'allow *'], ['osd', 'allow *']],
]

export const ACCESS_KEY = 'test'
export const SECRET_KEY = 'testtest'

export interface Gateway {
  readonly endpoint: string
  readonly close: () => Promise<void>
}

/** Says why the gateway cannot run here, for a test to skip; where CI is set it must run, and this throws. */
export function gatewayMissing(): string | false {
  const folders = (process.env['PATH'] ?? '').split(':').concat('/usr/bin', '/usr/sbin')
  const missing = PROGRAMS.filter((name) => !folders.some((folder) => existsSync(join(folder, name))))
  if (missing.length === 0) return false
  const reason = `not installed: ${missing.join(', ')}`
  assert.ok(!process.env['CI'], reason)
  return reason
}

export async function startGateway(): Promise<Gateway> {
  const dir = mkdtempSync(join(tmpdir(), 'moult-ceph-'))
  const children: ChildProcess[] = []
  const end = (): void => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
  // For a test process that is interrupted: no hook runs then.
  process.once('exit', end)
  const close = async (): Promise<void> => {
    process.removeListener('exit', end)
    const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    const ended = running.map((child) => new Promise((resolve) => child.once('close', resolve)))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(ended)
    end()
  }
  try {
    return { endpoint: await boot(dir, children), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function boot(dir: string, children: ChildProcess[]): Promise<string> {
  const [messenger, legacy, port] = [await freePort(), await freePort(), await freePort()]
  const monitor = `[v2:127.0.0.1:${messenger},v1:127.0.0.1:${legacy}]`
  const fsid = randomUUID()
  for (const name of ['mon', 'osd', 'run']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'ceph.conf'), configuration(dir, fsid, monitor, port))
  const env = { ...process.env, CEPH_CONF: join(dir, 'ceph.conf') }
  const call = async (program: string, ...args: readonly string[]): Promise<void> => {
    await run(program, args, { env, timeout: READY_MS })
  }
  const start = (program: string, ...args: readonly string[]): void => {
    children.push(spawn(program, args, { env, stdio: 'ignore' }))
  }

  const keyring = join(dir, 'keyring')
  for (const [name, ...rights] of USERS) {
    const create = existsSync(keyring) ? [] : ['--create-keyring']
    const caps = rights.flatMap(([daemon, right]) => ['--cap', daemon, right])
    await call('ceph-authtool', ...create, keyring, '--gen-key', '-n', name, ...caps)
  }
  const map = join(dir, 'monmap')
  await call('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', monitor, map)
  await call('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring)
  start('ceph-mon', '-f', '-i', 'a')
  const disk = randomUUID()
  await call('ceph', '--connect-timeout', '60', 'osd', 'new', disk)
  await call('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', disk)
  start('ceph-osd', '-f', '-i', '0')
  start('radosgw', '-f', '-n', 'client.rgw')
  const endpoint = `http://127.0.0.1:${port}`
  await until(
    'the gateway',
    () =>
      fetch(endpoint).then(
        ({ ok }) => ok,
        () => false,
      ),
    READY_MS,
  )
  const user = ['--uid=tester', '--display-name=tester', `--access-key=${ACCESS_KEY}`, `--secret=${SECRET_KEY}`]
  await call('radosgw-admin', 'user', 'create', ...user)
  return endpoint
}

function configuration(dir: string, fsid: string, monitor: string, port: number): string {
  return `[global]
fsid = ${fsid}
mon initial members = a
mon host = ${monitor}
public addr = 127.0.0.1
auth allow insecure global id reclaim = false
keyring = ${dir}/keyring
run dir = ${dir}/run
crash dir = ${dir}/run
admin socket = ${dir}/run/$name.asok
log file = /dev/null
log to stderr = false
mon cluster log file = /dev/null
# One copy, and few placement groups: there is one daemon.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
# Seconds of waiting for other monitors, of which there are none.
paxos propose interval = 0.02
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 2147483648
[mon]
mon data = ${dir}/mon
[osd]
osd data = ${dir}/osd
osd class dir = /usr/lib/${arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/rados-classes
[client.rgw]
rgw data = ${dir}
rgw frontends = beast endpoint=127.0.0.1:${port}
`
}
