import { join } from 'node:path'

import { NAME } from './sensor.ts'
import { type Scene, until } from '../helpers/moult.ts'
import type { Supervisor } from './supervisor.ts'

/** s6 with a scan directory of its own. */
export function openS6(scene: Scene): Supervisor {
  const service = scene.folder('s6', NAME)
  let scan: ReturnType<Scene['start']> | undefined
  const state = async (): Promise<'running' | 'stopped'> =>
    (await scene.run('s6-svstat', ['-o', 'up', service])).stdout.trim() === 'true' ? 'running' : 'stopped'
  return {
    kind: 's6',
    unitPath: join(service, 'run'),
    start: async () => {
      scan ??= scene.start('s6-svscan', [scene.path('s6')])
      // What was stopped stays down until it is told to come up; before the first scan there is nobody to tell.
      const up = async (): Promise<boolean> => (await scene.run('s6-svc', ['-u', service])).code === 0
      await until('s6 to supervise the service', up)
    },
    stop: async () => void (await scene.run('s6-svc', ['-wD', '-T', '50000', '-d', service])),
    state,
    restart: async () => void (await scene.run('s6-svc', ['-wR', '-T', '50000', '-r', service])),
    said: () => scan?.lines.slice(-40).join('\n') ?? '',
    close: async () => {
      await scene.run('s6-svscanctl', ['-t', scene.path('s6')])
      await scan?.ended
    },
  }
}
