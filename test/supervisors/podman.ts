// podman as a kubelet that needs no cluster: `podman play kube` takes the spec of a pod. It has a store of its own in the
// folder of the test.

import { statfsSync } from 'node:fs'

import type { Finished, Scene } from '../helpers/moult.ts'

/** podman 4.3 asks for more open files than a machine without CAP_SYS_RESOURCE may give, whatever its settings say. */
const RUNTIME = `#!/bin/sh
bundle='' before=''
for word; do
  [ "$before" != --bundle ] || bundle=$word
  before=$word
done
if [ -n "$bundle" ]; then
  jq 'del(.process.rlimits)' "$bundle/config.json" >"$bundle/config.json.new" || exit
  mv "$bundle/config.json.new" "$bundle/config.json"
fi
exec runc "$@"
`

/** One overlay cannot lie on another; see statfs(2). */
const OVERLAYFS = 0x794c7630

export interface Podman {
  readonly env: Readonly<Record<string, string>>
  readonly run: (...args: string[]) => Promise<Finished>
  /** Like `run`, and must succeed. */
  readonly ok: (...args: string[]) => Promise<string>
  /** Ends all containers and unmounts what they used. */
  readonly close: () => Promise<void>
}

export function openPodman(scene: Scene): Podman {
  const runtime = scene.write('podman/runtime', RUNTIME, 0o755)
  const containers = `[containers]
default_ulimits=["nofile=1024:1024"]
log_driver="k8s-file"
[engine]
cgroup_manager="cgroupfs"
events_logger="file"
lock_type="file"
tmp_dir=${JSON.stringify(scene.path('podman', 'tmp'))}
runtime="unlimited"
[engine.runtimes]
unlimited=[${JSON.stringify(runtime)}]
`
  const storage = `[storage]
driver="${statfsSync(scene.root).type === OVERLAYFS ? 'vfs' : 'overlay'}"
graphroot=${JSON.stringify(scene.path('podman', 'graph'))}
runroot=${JSON.stringify(scene.path('podman', 'run'))}
`
  const env = {
    CONTAINERS_CONF: scene.write('podman/containers.conf', containers),
    CONTAINERS_STORAGE_CONF: scene.write('podman/storage.conf', storage),
    // Names without a registry are those of images that are here.
    CONTAINERS_REGISTRIES_CONF: scene.write(
      'podman/registries.conf',
      'unqualified-search-registries = ["localhost"]\n',
    ),
  }
  const run: Podman['run'] = (...args) => scene.run('podman', args, { env })
  const ok: Podman['ok'] = async (...args) => {
    const { code, stdout, stderr } = await run(...args)
    if (code !== 0) throw new Error(`podman ${args.join(' ')}: ${code}\n${stderr}`)
    return stdout
  }
  return { env, run, ok, close: async () => void (await run('system', 'reset', '--force')) }
}

/** Makes an image of a root file system. */
export async function importImage(scene: Scene, podman: Podman, root: string, name: string): Promise<void> {
  const archive = scene.path('podman', 'image.tar')
  await scene.run('tar', ['-C', root, '-cf', archive, '.'])
  // As the images of registries have it; podman itself sets none in a pod.
  await podman.ok('import', '--quiet', '--change', 'ENV PATH=/usr/local/bin:/usr/bin:/bin', archive, name)
}
