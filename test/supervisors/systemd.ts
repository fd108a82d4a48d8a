import { join } from 'node:path'

import type { Scene } from '../helpers/moult.ts'
import { NAME } from './sensor.ts'
import type { Supervisor } from './supervisor.ts'
import { bootSystemd } from './systemd-container.ts'

const STATES: Readonly<Record<string, 'stopped' | 'given-up'>> = { inactive: 'stopped', failed: 'given-up' }

export async function openSystemd(scene: Scene): Promise<Supervisor> {
  const { etc, run, close } = await bootSystemd(scene, [scene.folder('state')])
  let journal = ''
  const systemctl = async (...args: string[]): Promise<string> => {
    const result = await run('systemctl', args)
    journal = (await run('journalctl', ['--unit', NAME, '--lines=40', '--output=cat'])).stdout + result.stderr
    return result.stdout
  }
  return {
    kind: 'systemd',
    unitPath: join(etc, 'systemd', 'system', `${NAME}.service`),
    start: async () => {
      await systemctl('daemon-reload')
      await systemctl('start', NAME)
    },
    stop: async () => void (await systemctl('stop', NAME)),
    state: async () => STATES[(await systemctl('is-active', NAME)).trim()] ?? 'running',
    restart: async () => void (await systemctl('restart', NAME)),
    said: () => journal,
    close,
  }
}
