import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { NAME } from './sensor.ts'
import { type Scene, until } from '../helpers/moult.ts'
import type { Supervisor } from './supervisor.ts'

const STATES: Readonly<Record<string, 'running' | 'given-up'>> = {
  RUNNING: 'running',
  STARTING: 'running',
  BACKOFF: 'running',
  FATAL: 'given-up',
}

/** supervisord with a configuration of its own, which takes in one folder as Debian's does. */
export function openSupervisord(scene: Scene): Supervisor {
  const socket = scene.path('supervisor.sock')
  const log = scene.path('supervisord.log')
  const config = scene.write(
    'supervisord.conf',
    `[unix_http_server]
file=${socket}
[supervisord]
nodaemon=true
user=root
logfile=${log}
logfile_maxbytes=0
pidfile=${scene.path('supervisord.pid')}
childlogdir=${scene.folder('supervisor-logs')}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${socket}
[include]
files=conf.d/*.conf
`,
  )
  scene.folder('conf.d')
  let daemon: ReturnType<Scene['start']> | undefined
  const ctl = async (...args: string[]): Promise<string> =>
    (await scene.run('supervisorctl', ['-c', config, ...args])).stdout
  return {
    kind: 'supervisord',
    unitPath: join(dirname(config), 'conf.d', `${NAME}.conf`),
    start: async () => {
      daemon ??= scene.start('supervisord', ['-c', config])
      const isUp = async (): Promise<boolean> => / (?:RUNNING|STARTING|STOPPED) /.test(await ctl('status'))
      await until('supervisord to answer', isUp, 30_000, () => daemon?.lines.join('\n') ?? '')
      await ctl('start', NAME)
    },
    stop: async () => void (await ctl('stop', NAME)),
    state: async () => STATES[/^\S+\s+([A-Z]+)/.exec(await ctl('status', NAME))?.[1] ?? ''] ?? 'stopped',
    restart: async () => void (await ctl('restart', NAME)),
    said: () => `${existsSync(log) ? readFileSync(log, 'utf8') : ''}${daemon?.lines.join('\n') ?? ''}`,
    close: async () => {
      await ctl('shutdown')
      await daemon?.ended
    },
  }
}
