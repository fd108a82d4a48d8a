import type { Command } from 'commander'

import { registerFleetAlerts } from './fleet/alerts.ts'
import { registerFleetExport } from './fleet/export.ts'
import { registerFleetReport } from './fleet/report.ts'
import { registerFleetStatus } from './fleet/status.ts'
import { registerFleetWatch } from './fleet/watch.ts'

/** The fleet as its access logs show it: these commands need no key, and ask no agent. */
export function registerFleetCommands(program: Command): void {
  const fleet = program.command('fleet').description('the whole fleet, from ordinary access logs')
  registerFleetStatus(fleet)
  registerFleetReport(fleet)
  registerFleetAlerts(fleet)
  registerFleetWatch(fleet)
  registerFleetExport(fleet)
}
