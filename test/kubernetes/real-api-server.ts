// A real etcd and a real kube-apiserver on this machine, with RBAC. No Debian package has the API server, so its path is
// given by MOULT_KUBE_APISERVER; etcd is that of the package etcd-server.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { KubeConfig, KubernetesObjectApi, type KubernetesObject } from '@kubernetes/client-node'

import { freePort } from '../helpers/moult.ts'
import { kubeconfigText, type KubeObject, type TestCluster } from './test-cluster.ts'

const START_TIMEOUT_MS = 120_000
const ADMIN = 'token-of-the-admin'
const SYNC = 'token-of-the-sync'

export const KUBE_APISERVER = process.env['MOULT_KUBE_APISERVER']

/** Why the tests with a real API server cannot run here; false where they can. */
export function noApiServer(): string | false {
  if (KUBE_APISERVER === undefined) return 'MOULT_KUBE_APISERVER names no kube-apiserver'
  return spawnSync('etcd', ['--version']).status === 0 ? false : 'etcd is not installed'
}

export interface RealServer {
  /** A cluster with full rights in a namespace of its own. */
  cluster(): Promise<TestCluster>
  readonly admin: KubernetesObjectApi
  /** A kubeconfig of the service account `moult-sync` in the namespace. */
  kubeconfigOfSync(namespace: string): string
  stop(): Promise<void>
}

export async function startApiServer(): Promise<RealServer> {
  const dir = mkdtempSync(join(tmpdir(), 'moult-kube-'))
  const children: ChildProcess[] = []
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGKILL')
      await ended
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
  try {
    const [client, peer, secure] = [await freePort(), await freePort(), await freePort()]
    const etcd = `http://127.0.0.1:${client}`
    children.push(start('etcd', etcdArguments(dir, etcd, `http://127.0.0.1:${peer}`)))
    children.push(start(KUBE_APISERVER ?? '', serverArguments(dir, etcd, secure)))
    const server = `https://127.0.0.1:${secure}`
    const admin = clientOf(kubeconfigText(server, ADMIN, 'default'))
    await ready(admin, children)
    return { ...serving(dir, server, admin), admin, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function serving(dir: string, server: string, admin: KubernetesObjectApi): Omit<RealServer, 'admin' | 'stop'> {
  let count = 0
  const write = (token: string, namespace: string): string => {
    count += 1
    const path = join(dir, `kubeconfig-${count}`)
    writeFileSync(path, kubeconfigText(server, token, namespace))
    return path
  }
  return {
    kubeconfigOfSync: (namespace) => write(SYNC, namespace),
    cluster: async () => {
      const namespace = `test-${count + 1}`
      await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      const placed = ({ metadata, ...object }: KubeObject): KubernetesObject => ({
        ...object,
        metadata: { ...metadata, namespace },
      })
      return {
        kubeconfig: write(ADMIN, namespace),
        namespace,
        token: ADMIN,
        put: async (object) => {
          try {
            await admin.create(placed(object))
          } catch (error) {
            if ((error as { code?: number }).code !== 409) throw error
            await admin.replace(placed(object))
          }
        },
        get: async (kind, name) => {
          const apiVersion = kind === 'ConfigMap' ? 'v1' : 'apps/v1'
          return admin.read<KubeObject & KubernetesObject>({ apiVersion, kind, metadata: { name, namespace } })
        },
      }
    },
  }
}

function clientOf(kubeconfig: string): KubernetesObjectApi {
  const config = new KubeConfig()
  config.loadFromString(kubeconfig)
  return KubernetesObjectApi.makeApiClient(config)
}

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr?.resume()
  child.on('error', () => undefined)
  return child
}

async function ready(admin: KubernetesObjectApi, children: readonly ChildProcess[]): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
    try {
      await admin.read(namespace)
      return
    } catch (error) {
      const dead = children.find((child) => child.exitCode !== null)
      if (dead !== undefined) throw new Error(`ended with status ${dead.exitCode}: ${dead.spawnfile}`, { cause: error })
      if (Date.now() > deadline) throw error
      await sleep(100)
    }
  }
}

function etcdArguments(dir: string, client: string, peer: string): string[] {
  const data = join(dir, 'etcd')
  return [
    ...['--data-dir', data, '--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
    '--unsafe-no-fsync',
  ]
}

function serverArguments(dir: string, etcd: string, port: number): string[] {
  const key = join(dir, 'sa.key')
  spawnSync('openssl', ['genrsa', '-out', key, '2048'])
  const tokens = join(dir, 'tokens.csv')
  const groups = 'system:serviceaccounts,system:authenticated'
  writeFileSync(
    tokens,
    `${ADMIN},admin,admin,"system:masters"\n${SYNC},system:serviceaccount:fleet:moult-sync,sync,"${groups}"\n`,
  )
  mkdirSync(join(dir, 'certs'))
  return [
    ...['--etcd-servers', etcd, '--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1'],
    ...['--secure-port', String(port), '--cert-dir', join(dir, 'certs'), '--token-auth-file', tokens],
    ...['--service-account-key-file', key, '--service-account-signing-key-file', key],
    ...['--service-account-issuer', 'https://kubernetes.default.svc', '--authorization-mode', 'RBAC'],
    ...['--disable-admission-plugins', 'ServiceAccount', '--service-cluster-ip-range', '10.77.0.0/24'],
    ...['--endpoint-reconciler-type', 'none', '--insecure-port', '0'],
  ]
}
