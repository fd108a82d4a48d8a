// What tells a supervisor to run the launcher. The comments in the files say why each setting is as it is.

import { dirname } from 'node:path'

export const SERVICE_KINDS = ['systemd', 'runit', 'pod'] as const
export type ServiceKind = (typeof SERVICE_KINDS)[number]

export interface ServiceOptions {
  readonly name: string
  /** Absolute path of the home directory. */
  readonly home: string
  readonly user?: string | undefined
  /** Words that run the supervisor of an agent which knows nothing of updates; the launcher when absent. */
  readonly supervisor?: readonly string[] | undefined
  readonly args: readonly string[]
}

export interface ServiceFile {
  /** Where such a file usually lies. */
  readonly path: string
  readonly text: string
  readonly mode: number
}

export function serviceFile(kind: ServiceKind, options: ServiceOptions): ServiceFile {
  switch (kind) {
    case 'systemd':
      return { path: `/etc/systemd/system/${options.name}.service`, text: systemdUnit(options), mode: 0o644 }
    case 'runit':
      return { path: `/etc/sv/${options.name}/run`, text: runitScript(options), mode: 0o755 }
    case 'pod':
      return { path: `${options.name}.pod.yaml`, text: podSpec(options), mode: 0o644 }
  }
}

function commandOf({ home, supervisor = [`${home}/launch`], args }: ServiceOptions): string[] {
  return [...supervisor, ...args]
}

function systemdUnit(options: ServiceOptions): string {
  const { name, home, user } = options
  const command = commandOf(options).map(systemdWord).join(' ')
  return `[Unit]
Description=${name}, kept up to date by Moult
Wants=network-online.target
After=network-online.target
# Every restart counts here, updates too, and a unit that reaches the limit stays down for good. The launcher gives a
# bad version up after a few tries, so the limit is switched off.
StartLimitIntervalSec=0

[Service]
ExecStart=${command}
${user === undefined ? '' : `User=${user}\n`}# Exit status 100 means: updated, start me again. Restart=always covers it, and crashes as well.
Restart=always
RestartSec=1
RestartForceExitStatus=100
SuccessExitStatus=100
# Never MemoryDenyWriteExecute: it kills Node at the first just-in-time compilation, minutes after the start.
NoNewPrivileges=yes
ProtectSystem=full
ReadWritePaths=${systemdWord(home)}

[Install]
WantedBy=multi-user.target
`
}

/** A word of a unit file: quoted, with the specifiers and variables of systemd made plain. */
function systemdWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[A-Za-z0-9_@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}

function runitScript(options: ServiceOptions): string {
  const { user } = options
  const command = commandOf(options).map(shellWord).join(' ')
  return `#!/bin/sh
# runit starts this again whatever the exit status is, after a second at the earliest: also after an update (100).
exec 2>&1
exec ${user === undefined ? '' : `chpst -u ${shellWord(user)} `}${command}
`
}

function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

function podSpec(options: ServiceOptions): string {
  const { name, home } = options
  const command = JSON.stringify(commandOf(options))
  return `# An agent that updates itself inside its pod. Home lies on a volume, since a container's own file system is reset
# when it restarts; an init container of your image fills it once with \`moult agent install\`. The kubelet lets everybody
# write to the top of a volume, and an updater refuses such a home: it MUST be a directory in the volume.
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
spec:
  restartPolicy: Always
  containers:
    - name: agent
      image: ${name}:latest # your image: the agent needs what its program needs, and a POSIX shell for the launcher
      command: ${command}
      env:
        # The kubelet counts exit 100 as a crash and waits longer each time, so the launcher stays and restarts by itself.
        - name: MOULT_LAUNCH
          value: stay
      volumeMounts:
        - name: home
          mountPath: ${JSON.stringify(dirname(home) === '/' ? home : dirname(home))}
  volumes:
    - name: home
      emptyDir: {}
`
}
