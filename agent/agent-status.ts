import { readdirSync } from 'node:fs'

import { isVersion } from '../manifests/index.ts'
import { type LastCheck, readLastCheck } from './last-check.ts'
import { installedRecord, type LaunchRecord } from './launch-record.ts'
import { readReceipt } from './receipt.ts'
import type { Settings } from './settings.ts'
import { loadState, type QuarantineEntry } from './state.ts'

export interface AgentStatus {
  readonly name: string
  readonly channel: string
  readonly server: string
  readonly record: LaunchRecord | undefined
  readonly installed: readonly string[]
  readonly quarantine: readonly QuarantineEntry[]
  readonly sequence: number
  readonly rootVersion: number
  readonly lastCheck: LastCheck | undefined
}

/** What is installed and believed, read from home alone. */
export function agentStatus(settings: Settings): AgentStatus {
  const { home, root, channel, url } = settings
  const state = loadState(home, root, () => undefined)
  return {
    name: root.name,
    channel,
    server: url.href,
    record: installedRecord(home),
    installed: readdirSync(home.versions).filter(
      (version) => isVersion(version) && readReceipt(home, version) !== undefined,
    ),
    quarantine: state.quarantine,
    sequence: state.floors[channel]?.sequence ?? 0,
    rootVersion: state.root.version,
    lastCheck: readLastCheck(home),
  }
}
