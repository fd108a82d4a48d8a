// Where an agent runs: a virtual machine or bare metal, a container, or a pod. It matters for one reason: a container's own
// file system may be gone after the next restart, and what was installed there with it.

import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { Environment } from './settings-environment.ts'

export const DEPLOYMENT_KINDS = ['vm', 'container', 'pod'] as const
export type DeploymentKind = (typeof DEPLOYMENT_KINDS)[number]

export interface Deployment {
  readonly kind: DeploymentKind
  /** What tells so, for people. */
  readonly evidence: string
}

/** Containers that boot a whole system and keep their files, as a virtual machine does. */
const SYSTEM_CONTAINER = /^(?:lxc|systemd-nspawn)/
/** Paths of control groups that container engines make. */
const ENGINE_GROUP = /\/(?:docker|podman|libpod|crio|cri-containerd)[-/][^/]*[0-9a-f]{12}/
/** Where engines keep the layers that they mount as the root of a container. */
const LAYER = /(?:docker|containerd|containers\/storage|crio|buildkit)/
const SERVICE_ACCOUNT = 'var/run/secrets/kubernetes.io/serviceaccount'

/**
 * @param setting what the operator says; it wins
 * @param root where the file system is looked at: `/`, or another one in tests
 */
export function detectDeployment(
  setting: DeploymentKind | 'auto' | undefined,
  env: Environment,
  root = '/',
): Deployment {
  if (setting !== undefined && setting !== 'auto') return { kind: setting, evidence: 'the settings say so' }
  const groups = textOf(root, 'proc/self/cgroup')
  const mount = mountOf('/', root)
  const signs: readonly (readonly [DeploymentKind, boolean, string])[] = [
    ['pod', isSet(env, 'KUBERNETES_SERVICE_HOST'), 'KUBERNETES_SERVICE_HOST is set'],
    ['pod', exists(root, SERVICE_ACCOUNT), `/${SERVICE_ACCOUNT} exists`],
    ['pod', groups.includes('kubepods'), 'the control group is one of the kubelet'],
    ['vm', SYSTEM_CONTAINER.test(env['container'] ?? ''), `container=${env['container']}: a system of its own`],
    ['container', isSet(env, 'container'), `container=${env['container']} is set`],
    ['container', ENGINE_GROUP.test(groups), 'the control group is one of a container engine'],
    ['container', isLayer(mount), 'the root file system is a layer of a container engine'],
    // An image that was unpacked onto the disk of a machine still has this file, and is no container.
    ['container', exists(root, '.dockerenv') && !isOwnDisk(mount), '/.dockerenv exists'],
    ['container', exists(root, 'run/.containerenv') && !isOwnDisk(mount), '/run/.containerenv exists'],
  ]
  const [kind, , evidence] = signs.find(([, holds]) => holds) ?? ['vm', true, 'no sign of a container']
  return { kind, evidence }
}

/** Whether a path, or what it will be made in, lies on another mount than the root file system. */
export function isOnVolume(path: string, root = '/'): boolean {
  const mount = mountOf(nearestReal(path), root)
  return mount !== undefined && mount.point !== '/'
}

interface Mount {
  readonly point: string
  /** The part of its file system that is mounted. */
  readonly part: string
  readonly type: string
  readonly source: string
  readonly options: string
}

/** The mount that a path lies on. Of several on one place the last hides the others. */
function mountOf(path: string, root: string): Mount | undefined {
  const holds = ({ point }: Mount): boolean => point === '/' || path === point || path.startsWith(`${point}/`)
  return mounts(root)
    .filter(holds)
    .reduce<Mount | undefined>((best, each) => (best && best.point.length > each.point.length ? best : each), undefined)
}

/** As in proc(5): `36 35 98:0 /part /point options optional... - type source options`. */
function mounts(root: string): Mount[] {
  return textOf(root, 'proc/self/mountinfo')
    .split('\n')
    .flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ')
      const [, , , part, point] = before.split(' ').map(unescapeOctal)
      const [type, source, options] = after.split(' ').map(unescapeOctal)
      if (part === undefined || point === undefined || type === undefined) return []
      return [{ part, point, type, source: source ?? '', options: options ?? '' }]
    })
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function isLayer(mount: Mount | undefined): boolean {
  return mount !== undefined && (LAYER.test(mount.part) || (mount.type === 'overlay' && LAYER.test(mount.options)))
}

function isOwnDisk(mount: Mount | undefined): boolean {
  return mount !== undefined && mount.part === '/' && mount.source.startsWith('/dev/')
}

function nearestReal(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      return realpathSync(at)
    } catch {
      if (dirname(at) === at) return at
    }
  }
}

function isSet(env: Environment, name: string): boolean {
  return (env[name] ?? '') !== ''
}

function exists(root: string, path: string): boolean {
  return statSync(join(root, path), { throwIfNoEntry: false }) !== undefined
}

function textOf(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    // Not Linux, or not for us to read.
    return ''
  }
}
