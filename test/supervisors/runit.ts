import { join } from 'node:path'

import { NAME } from './sensor.ts'
import { type Scene, until } from '../helpers/moult.ts'
import type { Supervisor } from './supervisor.ts'

/** runit in a scan directory of its own. */
export function openRunit(scene: Scene): Supervisor {
  const service = scene.folder('runit', NAME)
  const runsvdir = scene.start('runsvdir', ['-P', scene.path('runit')])
  const sv = async (...args: string[]): Promise<string> => (await scene.run('sv', [...args, service])).stdout
  return {
    kind: 'runit',
    unitPath: join(service, 'run'),
    // It looks for new services every five seconds; until then there is nobody to talk to.
    start: () => until('runsv to run', async () => (await sv('start')).startsWith('ok: run:')),
    stop: async () => void (await sv('-w', '50', 'stop')),
    state: async () => ((await sv('status')).startsWith('run:') ? 'running' : 'stopped'),
    restart: async () => void (await sv('-w', '50', 'restart')),
    said: () => runsvdir.lines.slice(-40).join('\n'),
    close: async () => {
      await sv('-w', '10', 'force-shutdown')
      runsvdir.kill('SIGHUP')
      await runsvdir.ended
    },
  }
}
