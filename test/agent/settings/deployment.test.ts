import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { detectDeployment, isOnVolume } from '../../../agent/settings/deployment.ts'
import type { Settings } from '../../../agent/settings/settings.ts'
import { updateRole } from '../../../agent/settings/update-role.ts'
import { makeDir, makeMachine } from '../field.ts'

const OWN_DISK = '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n'
const PLAIN_OVERLAY = '30 25 0:50 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w\n'
const DOCKER =
  '700 600 0:80 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A,upperdir=/var/lib/docker/overlay2/x/diff\n'
const CONTAINERD =
  '700 600 0:80 / / rw - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs\n'
const VFS = '700 600 254:0 /var/lib/containers/storage/vfs/dir/abc / rw - ext4 /dev/vda rw\n'
const ID = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'

/** The parts of a file system that tell where a process runs. */
function makeRoot(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = makeDir(t)
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(dirname(join(root, path)), { recursive: true })
    fs.writeFileSync(join(root, path), text)
  }
  return root
}

interface Place {
  readonly name: string
  readonly env?: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
  readonly kind: 'vm' | 'container' | 'pod'
  readonly evidence: RegExp
}

const mount = (text: string) => ({ 'proc/self/mountinfo': text })
const group = (text: string) => ({ 'proc/self/cgroup': text })

const PLACES: readonly Place[] = [
  { name: 'a bare machine', files: mount(OWN_DISK), kind: 'vm', evidence: /no sign/ },
  { name: 'a system without /proc', files: {}, kind: 'vm', evidence: /no sign/ },
  {
    name: 'a pod, by what the kubelet sets',
    env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    files: mount(CONTAINERD),
    kind: 'pod',
    evidence: /KUBERNETES_SERVICE_HOST/,
  },
  {
    name: 'a pod in a small machine of its own',
    files: { ...mount(OWN_DISK), 'var/run/secrets/kubernetes.io/serviceaccount/token': 'x' },
    kind: 'pod',
    evidence: /serviceaccount/,
  },
  {
    name: 'a pod, by its control group',
    files: { ...mount(CONTAINERD), ...group(`0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope\n`) },
    kind: 'pod',
    evidence: /kubelet/,
  },
  {
    name: 'docker',
    files: { ...mount(DOCKER), '.dockerenv': '' },
    kind: 'container',
    evidence: /layer/,
  },
  { name: 'containerd alone', files: mount(CONTAINERD), kind: 'container', evidence: /layer/ },
  { name: 'podman on plain directories', files: mount(VFS), kind: 'container', evidence: /layer/ },
  {
    name: 'docker, by its control group',
    files: { ...mount(PLAIN_OVERLAY), ...group(`12:pids:/docker/${ID}\n`) },
    kind: 'container',
    evidence: /control group/,
  },
  {
    name: 'podman, by its file',
    files: { ...mount(PLAIN_OVERLAY), 'run/.containerenv': '' },
    kind: 'container',
    evidence: /containerenv/,
  },
  {
    name: 'podman, by its variable',
    env: { container: 'podman' },
    files: mount(PLAIN_OVERLAY),
    kind: 'container',
    evidence: /container=podman/,
  },
  {
    name: 'an image that became the disk of a machine',
    files: { ...mount(OWN_DISK), '.dockerenv': '' },
    kind: 'vm',
    evidence: /no sign/,
  },
  {
    name: 'a container that boots a system',
    env: { container: 'systemd-nspawn' },
    files: mount(PLAIN_OVERLAY),
    kind: 'vm',
    evidence: /systemd-nspawn/,
  },
  {
    name: 'the container engine’s own service',
    files: { ...mount(OWN_DISK), ...group('0::/system.slice/docker.service\n') },
    kind: 'vm',
    evidence: /no sign/,
  },
  { name: 'a live system on an overlay', files: mount(PLAIN_OVERLAY), kind: 'vm', evidence: /no sign/ },
  {
    name: 'variables that are set to nothing',
    env: { KUBERNETES_SERVICE_HOST: '', container: '' },
    files: mount(OWN_DISK),
    kind: 'vm',
    evidence: /no sign/,
  },
]

describe('where an agent runs', () => {
  for (const { name, env = {}, files, kind, evidence } of PLACES) {
    test(`is found out: ${name}`, (t) => {
      const found = detectDeployment('auto', env, makeRoot(t, files))
      assert.equal(found.kind, kind)
      assert.match(found.evidence, evidence)
    })
  }

  test('is what the operator says', (t) => {
    const root = makeRoot(t, mount(DOCKER))
    assert.deepEqual(detectDeployment('vm', { KUBERNETES_SERVICE_HOST: 'x' }, root), {
      kind: 'vm',
      evidence: 'the settings say so',
    })
  })
})

describe('a directory lies on a volume', () => {
  const volumes = (data: string) =>
    mount(`${DOCKER}701 700 254:0 /volumes/x ${data} rw - ext4 /dev/vda rw\n702 700 0:9 / /proc rw - proc proc rw\n`)

  test('when another mount than the root holds it, made or not', (t) => {
    const data = makeDir(t)
    const root = makeRoot(t, volumes(data))
    const paths = [data, join(data, 'home/agent'), `${data}-other`, dirname(data), '/nowhere/at/all']
    assert.deepEqual(
      paths.map((path) => isOnVolume(path, root)),
      [true, true, false, false, false],
    )
  })

  test('also under a name with a space, and behind a link', (t) => {
    const data = join(makeDir(t), 'my data')
    fs.mkdirSync(data)
    const root = makeRoot(t, volumes(data.replaceAll(' ', '\\040')))
    fs.symlinkSync(data, `${data}-link`)
    assert.ok(isOnVolume(data, root) && isOnVolume(`${data}-link`, root))
  })

  test('on this machine, memory is one and the place of the programs is none', (t) => {
    if (!fs.existsSync('/dev/shm')) return t.skip('no /dev/shm here')
    assert.deepEqual([isOnVolume('/dev/shm'), isOnVolume('/usr')], [true, false])
  })
})

describe('what an updater may do', () => {
  async function roles(t: TestContext): Promise<(given: Partial<Settings>, volume?: boolean) => string> {
    const { settings } = await makeMachine(t, { url: 'http://127.0.0.1:1' })
    const layer = makeRoot(t, mount(DOCKER))
    const volume = makeRoot(t, mount(`${DOCKER}701 700 254:0 /x ${settings.home.path} rw - ext4 /dev/vda rw\n`))
    return (given, isVolume = false) => {
      const { kind, warning } = updateRole({ ...settings, ...given }, isVolume ? volume : layer)
      return warning === undefined ? kind : `${kind}, with a warning`
    }
  }
  const place = (kind: 'vm' | 'container' | 'pod') => ({ deployment: { kind, evidence: 'told' } })

  test('follows from the mode, the place and whether home outlives a restart', async (t) => {
    const role = await roles(t)
    assert.equal(role(place('vm')), 'install')
    for (const kind of ['container', 'pod'] as const) {
      assert.equal(role(place(kind)), 'report, with a warning', kind)
      assert.equal(role(place(kind), true), 'install', kind)
      assert.equal(role({ ...place(kind), mode: 'vm-only' }, true), 'none, with a warning', kind)
      assert.equal(role({ ...place(kind), mode: 'signal-only' }, true), 'report', kind)
    }
    assert.equal(role({ ...place('vm'), mode: 'vm-only' }), 'install')
    assert.equal(role({ ...place('vm'), mode: 'signal-only' }), 'report')
    assert.equal(role({ ...place('vm'), mode: 'disabled' }), 'none')
    assert.equal(role({ ...place('vm'), enabled: false }), 'none')
  })
})
