// The fleet in view, from access logs: read them, make figures of them.

export { Fleet, type AgentEvent, type AgentView, type Visit } from './engine/fleet.ts'
export type { ScanResult } from './engine/scan-all.ts'
export { type FigureOptions, fleetFigures, SILENT_AFTER_MS, STUCK_AFTER_MS } from './figures.ts'
export type * from './fleet-figures.ts'
export { LOG_FORMATS, type LogFormat } from './formats/log-line.ts'
export { type ParquetResult, writeParquet } from './parquet/write-parquet.ts'
export { readLogs, type ReadLogsOptions } from './read-logs.ts'
export type { DamagedSource, LineExample, LogCounts } from './scan/log-counts.ts'
export type { Tail } from './scan/tail.ts'
export { type AgentNames, beaconIdOf, readAgentNames } from './agent-names.ts'
export {
  type Alert,
  ALERT_CODES,
  ALERT_LIMITS,
  type AlertLimits,
  type AlertOptions,
  findAlerts,
} from './alerts/find-alerts.ts'
export { dueAlerts, readSentAlerts, writeSentAlerts } from './alerts/sent-alerts.ts'
export { alertMessage, postWebhook } from './alerts/webhook.ts'
export { CSV_TABLES, csvOf, type CsvTable } from './report/csv.ts'
export { reportHtml } from './report/report-html.ts'
export type { ReportOptions, RolloutView } from './report/report-options.ts'
export { statusText } from './report/terminal.ts'
export { judge, type Verdict } from './judge/judge.ts'
export { JUDGE_TERMS, type JudgedRollout, type JudgeTerms, type Reason, type ReasonCode } from './judge/terms.ts'
