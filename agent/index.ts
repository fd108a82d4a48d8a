// The agent side: an updater inside a Node agent (`Updater`), a supervisor of any program (`supervise`), or one poll at
// a time (`checkOnce`).

export { isMoultError, MoultError } from '../manifests/index.ts'
export { agentStatus, type AgentStatus } from './agent-status.ts'
export { checkOnce } from './check-once.ts'
export { errorText, eventJson, eventText } from './event-lines.ts'
export { type AgentEvent, isDetail } from './events.ts'
export { homeOwner, type HomeOwner } from './install/home-owner.ts'
export { installAgent, type InstallOptions, type InstallResult } from './install/install.ts'
export {
  SERVICE_KINDS,
  serviceFile,
  type ServiceFile,
  type ServiceKind,
  type ServiceOptions,
} from './install/service-files.ts'
export { type CheckOutcome, type LastCheck, noteCheck, readLastCheck } from './last-check.ts'
export { installedRecord, type LaunchRecord, readLaunchRecord } from './launch-record.ts'
export { withLock } from './lock.ts'
export { loadSettings, type Settings } from './settings.ts'
export { type SettingsFile, settingsShape } from './settings-file.ts'
export { supervise, type SuperviseOptions } from './supervise.ts'
export { update, type UpdateDeps, type UpdateOptions, type UpdateResult } from './update.ts'
export { Updater } from './updater.ts'
export type { UpdaterOptions } from './updater-options.ts'
export { confirmVersion, rollBackVersion, rollbackTarget } from './verdict.ts'
export { homeAt, type Home } from './home.ts'
export { adoptProgram } from './install/adopt.ts'
