import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'

import { MoultError } from '../../manifests/errors.ts'
import { formatSize, printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'
import { type LogOptions, readFleet, withLogOptions } from './log-options.ts'

interface Options extends LogOptions {
  html: string
}

export function registerFleetReport(fleet: Command): void {
  withLogOptions(fleet.command('report'))
    .description('the fleet as one HTML file, which needs no network and no script')
    .option('--html <file>', 'where to write it; `-` is stdout', 'fleet.html')
    .option('--json', 'print what was written as a JSON object')
    .action((logs: string[], options: Options) => runCommand(options, (signal) => report(logs, options, signal)))
}

async function report(logs: readonly string[], given: Options, signal: AbortSignal): Promise<void> {
  const { findAlerts, reportHtml } = await import('../../fleet/index.ts')
  const { figures, options } = await readFleet(logs, given, Date.now(), signal)
  const text = reportHtml(figures, options)
  if (given.html === '-') {
    process.stdout.write(text)
    return
  }
  await replaceFile(given.html, text)
  const bytes = Buffer.byteLength(text)
  const alerts = findAlerts(figures, options)
  const result = { path: given.html, bytes, agents: figures.agents.total, alerts: alerts.map(({ key }) => key) }
  const agents = `${figures.agents.active} active agents, ${alerts.length} alerts`
  printResult(given.json, result, [`Wrote ${given.html} (${formatSize(bytes)}): ${agents}`])
}

/** Whoever looks at it meanwhile, through a web server, sees the old one or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    await writeFile(fresh, text, { flag: 'wx' })
    await rename(fresh, path)
  } catch (cause) {
    await rm(fresh, { force: true })
    const { code = 'unknown' } = cause as NodeJS.ErrnoException
    throw new MoultError('ERR_USAGE_INVALID', `cannot write ${path} (${code})`, { cause })
  }
}
