import { commandOf, type ServiceOptions, STOP_SECONDS } from './service-options.ts'
import { shellCommand } from './shell-command.ts'

export function s6Script(options: ServiceOptions): string {
  const { user } = options
  const command = shellCommand([...(user === undefined ? [] : ['s6-setuidgid', user]), ...commandOf(options)])
  return `#!/bin/sh
# s6 starts this again whatever the exit status is, once a second at most: also after an update (100). There is no
# finish script, as one that exits with 125 would end that for good.
exec 2>&1
exec ${command}
`
}

/** Milliseconds from SIGTERM to SIGKILL, in the file of that name; s6 would wait for ever without it. */
export const S6_TIMEOUT_KILL = `${STOP_SECONDS * 1000}\n`
