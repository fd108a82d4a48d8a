import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'

import type { Scene } from '../helpers/moult.ts'
import { addMoult, layOutImage } from './container-image.ts'
import { importImage, openPodman, type Podman } from './podman.ts'
import { NAME } from './sensor.ts'
import type { Supervisor } from './supervisor.ts'

const VOLUME = `${NAME}-home`
const CONTAINER = `${NAME}-agent`

export interface PodSupervisor extends Supervisor {
  readonly podman: Podman
}

/** A pod of podman's. The home that `moult agent install` lays out becomes part of its image. */
export function openPod(scene: Scene): PodSupervisor {
  const podman = openPodman(scene)
  const unitPath = scene.path(`${NAME}.pod.yaml`)
  let logs = ''
  return {
    podman,
    kind: 'pod',
    unitPath,
    prepare: async (sensor) => {
      const root = await layOutImage(scene)
      if (sensor.way === 'supervised') await addMoult(scene, root)
      cpSync(sensor.home, join(root, 'opt', NAME), { recursive: true })
      await importImage(scene, podman, root, `localhost/${NAME}:1`)
      await podman.ok('volume', 'create', VOLUME)
      const volume = await podman.ok('volume', 'inspect', '--format', '{{.Mountpoint}}', VOLUME)
      sensor.home = join(volume.trim(), NAME)
      sensor.ownHome = `/moult/${NAME}`
    },
    start: async () => void (await podman.ok('play', 'kube', '--network', 'host', '--replace', unitPath)),
    stop: async () => {
      logs = (await podman.run('logs', CONTAINER)).stderr
      // Not `play kube --down`, which in version 4.3 kills at once.
      await podman.ok('pod', 'stop', '--time', '45', NAME)
    },
    state: async () => {
      const { code, stdout } = await podman.run('inspect', '--format', '{{.State.Status}}', CONTAINER)
      return code === 0 && stdout.trim() === 'running' ? 'running' : 'stopped'
    },
    restart: async () => {
      // The container ends, and its restart policy starts it again; that of the pod does not notice.
      await podman.ok('kill', '--signal', 'TERM', CONTAINER)
      logs = (await podman.run('logs', CONTAINER)).stderr
    },
    // The kubelet waits longer after each restart, and at an image's own file system the update would be lost.
    assertNotRestarted: async () => {
      assert.equal((await podman.ok('inspect', '--format', '{{.RestartCount}}', CONTAINER)).trim(), '0')
    },
    said: () => logs,
    close: podman.close,
  }
}
