// The agent side: an updater inside a Node agent (`Updater`), a supervisor of any program (`supervise`), or one poll at
// a time (`checkOnce`).

export { type Flags, type FlagValue, isMoultError, MoultError } from '../manifests/index.ts'
export { AGENT_STATES, type AgentState } from './report/agent-state.ts'
export { agentStatus, type AgentStatus } from './report/agent-status.ts'
export { approveUpdate, type Approved, revokeApprovals } from './home/approval.ts'
export { type AvailableUpdate, readAvailable } from './report/available.ts'
export { checkOnce, type OnceResult } from './check-once.ts'
export { type Deployment, type DeploymentKind } from './settings/deployment.ts'
export { errorText, eventJson, eventText } from './events/event-lines.ts'
export { type AgentEvent, isDetail } from './events/events.ts'
export { explainUpdate, type Explanation, type RuleState, type WindowState } from './report/explain.ts'
export { lastFlags, type ToldFlags } from './report/flags-file.ts'
export { homeOwner, type HomeOwner } from './install/home-owner.ts'
export { installAgent, type InstallOptions, type InstallResult } from './install/install.ts'
export {
  SERVICE_KINDS,
  serviceFile,
  type ServiceFile,
  type ServiceKind,
  type ServiceOptions,
} from './install/service-files.ts'
export { type HistoryEntry, readHistory } from './report/history.ts'
export { Journal } from './report/journal.ts'
export { type CheckOutcome, type LastCheck, noteCheck, readLastCheck } from './report/last-check.ts'
export { installedRecord, type LaunchRecord, readLaunchRecord } from './home/launch-record.ts'
export { withLock } from './home/lock.ts'
export { loadSettings, type Settings } from './settings/settings.ts'
export { type SettingsFile, settingsShape } from './settings/settings-file.ts'
export { type OwnLaunch, ownLaunchOf, type SelfUpdateOptions, superviseAndUpdateSelf } from './self-update.ts'
export { supervise, type SuperviseOptions } from './supervise.ts'
export { update, type UpdateDeps, type UpdateOptions, type UpdateResult } from './update.ts'
export { type UpdateMode, type UpdateRole, updateRole } from './settings/update-role.ts'
export { Updater } from './updater.ts'
export type { UpdaterOptions } from './updater-options.ts'
export { confirmVersion, rollBackVersion, rollbackTarget } from './trial/verdict.ts'
export { homeAt, type Home, prepareHome } from './home/home.ts'
export { loadState, saveState, type State } from './home/state.ts'
export { adoptProgram } from './install/adopt.ts'
