// A real systemd, booted as a container on this machine's own /usr: read-only, with an /etc of its own, the rest of the
// file system in memory, and the network of the machine. Folders of the test appear at the same paths inside.

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

import { type Finished, REPOSITORY, type RunOptions, type Scene, until } from '../helpers/moult.ts'

/** What of the machine's own /etc programs need: users, loader, name services, certificates. */
const ETC_NAMES = [
  'passwd',
  'group',
  'shadow',
  'nsswitch.conf',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'dbus-1',
  'pam.d',
  'security',
  'login.defs',
]
/** On machines with version 1 beside version 2 both trees are needed; else there is one. */
const CGROUP_TREES = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']
const NAMESPACES = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--wd']

export interface SystemdContainer {
  /** What is /etc inside. */
  readonly etc: string
  /** Runs a command inside, as root. */
  readonly run: (command: string, args: readonly string[], options?: RunOptions) => Promise<Finished>
  readonly close: () => Promise<void>
}

/** @param writable folders that appear inside; the repository does so too, read-only */
export async function bootSystemd(scene: Scene, writable: readonly string[]): Promise<SystemdContainer> {
  const etc = layOutEtc(scene)
  // The unit may run the agent as another user.
  chmodSync(scene.root, 0o755)
  const name = basename(scene.root).replaceAll(/[^A-Za-z0-9]+/g, '-')
  const cgroups = cgroupTrees().map((tree) => join(tree, name))
  for (const cgroup of cgroups) mkdirSync(cgroup, { recursive: true })
  const binds = [
    `--bind=${etc}:/etc`,
    ...writable.map((path) => `--bind=${path}`),
    `--bind-ro=${REPOSITORY}`,
    // Node that was installed elsewhere, and packages of another checkout.
    ...[process.execPath, realpathSync(join(REPOSITORY, 'node_modules'))]
      .filter((path) => !path.startsWith('/usr/') && !path.startsWith(REPOSITORY))
      .map((path) => `--bind-ro=${path}`),
  ]
  const nspawn = ['systemd-nspawn', '--quiet', '--directory=/', '--boot', `--machine=${name}`, '--volatile=yes']
  // First in a process namespace of its own: whenever that is killed, nothing of the container is left.
  const boot = scene.start('unshare', [
    ...['--pid', '--fork', '--mount-proc', 'sh', '-c', ENTER_CGROUPS, 'boot', String(cgroups.length), ...cgroups],
    ...[...nspawn, '--register=no', '--keep-unit', '--console=pipe', ...binds],
  ])
  let leader = 0
  const run: SystemdContainer['run'] = (command, args, options) =>
    scene.run('nsenter', [`--target=${leader}`, ...NAMESPACES, '--', command, ...args], options)
  const isUp = async (): Promise<boolean> => {
    // unshare, systemd-nspawn, systemd
    leader = childOf(childOf(boot.pid))
    return leader !== 0 && /^(?:running|degraded)/.test((await run('systemctl', ['is-system-running'])).stdout)
  }
  const close = async (): Promise<void> => {
    if (leader !== 0) await run('systemctl', ['poweroff', '--force', '--force'])
    boot.kill('SIGKILL', 'group')
    await boot.ended
    for (const cgroup of cgroups) await removeCgroup(cgroup)
  }
  try {
    await until('systemd to be up', isUp, 60_000, () => `; it said:\n${boot.lines.slice(-40).join('\n')}`)
  } catch (error) {
    await close()
    throw error
  }
  return { etc, run, close }
}

/** Arguments: how many directories, the directories, the command. */
const ENTER_CGROUPS =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"'

function layOutEtc(scene: Scene): string {
  const etc = scene.folder('etc')
  for (const name of ETC_NAMES) {
    const from = join('/etc', name)
    if (existsSync(from)) cpSync(from, join(etc, name), { recursive: true, verbatimSymlinks: true })
  }
  scene.folder('etc', 'systemd', 'system')
  scene.folder('etc', 'systemd', 'system-preset')
  // Else the services of the machine itself would start in there.
  writeFileSync(join(etc, 'systemd', 'system-preset', '00-none.preset'), 'disable *\n')
  writeFileSync(join(etc, 'machine-id'), 'uninitialized\n')
  return etc
}

function cgroupTrees(): readonly string[] {
  const trees = CGROUP_TREES.filter((tree) => existsSync(join(tree, 'cgroup.procs')))
  return trees.length > 0 ? trees : ['/sys/fs/cgroup']
}

/** The first child of a process, or 0. */
function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0])
  } catch {
    return 0
  }
}

/** Its processes are gone, or about to be. */
async function removeCgroup(path: string): Promise<void> {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name))
  }
  const isRemoved = (): boolean => {
    try {
      rmdirSync(path)
      return true
    } catch {
      return false
    }
  }
  await until(`${path} to be empty`, isRemoved, 10_000)
}
