import { commandOf, type ServiceOptions } from './service-options.ts'
import { shellCommand } from './shell-command.ts'

export function runitScript(options: ServiceOptions): string {
  const { user } = options
  const command = shellCommand([...(user === undefined ? [] : ['chpst', '-u', user]), ...commandOf(options)])
  return `#!/bin/sh
# runit starts this again whatever the exit status is, after a second at the earliest: also after an update (100).
exec 2>&1
exec ${command}
`
}
