import { type Command, Option } from 'commander'

import { EXIT_ALERTS, formatDate, MoultError } from '../../manifests/index.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type LogOptions, readFleet, withLogOptions } from './log-options.ts'

interface Options extends LogOptions {
  webhook?: string
  webhookHeaderEnv?: string
  allowHttp?: boolean
  state?: string
}

export function registerFleetAlerts(fleet: Command): void {
  withLogOptions(fleet.command('alerts'))
    .description(`what somebody should look at; exit status ${EXIT_ALERTS} when there is anything`)
    .addOption(
      new Option('--webhook <url>', 'POST them as JSON to this URL, whose path is often a secret').env('MOULT_WEBHOOK'),
    )
    .option('--webhook-header-env <name>', 'variable that holds a header for it, `name: value`')
    .option('--allow-http', 'a webhook without TLS on another machine')
    .option('--state <file>', 'what was sent: an alert is sent once, and again each day while it lasts')
    .option('--json', 'print one JSON object')
    .action((logs: string[], options: Options) => runCommand(options, (signal) => alertsOf(logs, options, signal)))
}

async function alertsOf(logs: readonly string[], given: Options, signal: AbortSignal): Promise<number> {
  const { alertMessage, dueAlerts, findAlerts, postWebhook, readSentAlerts, writeSentAlerts } =
    await import('../../fleet/index.ts')
  const nowMs = Date.now()
  const { webhook, state } = given
  const header = headerFrom(given.webhookHeaderEnv)
  const sent = state === undefined ? {} : readSentAlerts(state)
  const { figures, options } = await readFleet(logs, given, nowMs, signal)
  const alerts = findAlerts(figures, options)
  const { due, after } = dueAlerts(alerts, sent, nowMs)
  const at = formatDate(nowMs)
  // Before the webhook, which may fail: who reads the output has them all the same.
  const result = { name: figures.name, at, alerts, due: due.map(({ key }) => key) }
  const calm = [`no alerts: ${figures.agents.active} active agents of ${figures.agents.total}`]
  printResult(given.json, result, alerts.length === 0 ? calm : alerts.map(({ code, text }) => `${code} ${text}`))
  if (webhook !== undefined && due.length > 0) {
    await postWebhook(webhook, alertMessage(figures.name, at, due), {
      allowHttp: given.allowHttp === true,
      signal,
      ...(header === undefined ? {} : { header }),
    })
  }
  if (state !== undefined) writeSentAlerts(state, after)
  return alerts.length === 0 ? 0 : EXIT_ALERTS
}

function headerFrom(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined
  const header = process.env[variable]
  if (header !== undefined && header !== '') return header
  throw new MoultError('ERR_CONFIG_MISSING', `--webhook-header-env: the variable ${variable} is not set`)
}
