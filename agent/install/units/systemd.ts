import { commandOf, type ServiceOptions } from './service-options.ts'

export function systemdUnit(options: ServiceOptions): string {
  const { name, home, user, supervisor } = options
  const command = commandOf(options).map(commandWord).join(' ')
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
${supervisor === undefined ? '' : MIXED}# Never MemoryDenyWriteExecute: it kills Node at the first just-in-time compilation, minutes after the start.
NoNewPrivileges=yes
ProtectSystem=full
ReadWritePaths=${quoted(home.replaceAll('%', '%%'))}

[Install]
WantedBy=multi-user.target
`
}

const MIXED = `# Only the supervisor gets SIGTERM, and stops the agent itself: to some programs a second SIGTERM means at once.
KillMode=mixed
`

/** A word of a command line, with the specifiers and variables of systemd made plain. */
function commandWord(word: string): string {
  return quoted(word.replaceAll('%', '%%').replaceAll('$', '$$$$'))
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./$-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`
}
