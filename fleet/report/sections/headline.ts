import { ALERT_CODES, type Alert } from '../../alerts/find-alerts.ts'
import type { FleetFigures } from '../../fleet-figures.ts'
import { countText, percentText, spanText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import type { ReportOptions } from '../report-options.ts'
import { timeCell } from './time-cell.ts'

/** The figures that say how the fleet is, and what needs a person. */
export function headline(figures: FleetFigures, alerts: readonly Alert[], options: ReportOptions): Html {
  const { name, nowMs, firstMs, lastMs, offered, agents, releases, versions } = figures
  const current = releases.find(({ version }) => version === offered)
  const onIt = versions.find(({ key }) => key === offered)
  return html`<header>
      <h1>${name}: the fleet</h1>
      <p class="quiet">
        What its access logs tell from ${timeCell(firstMs)} to ${timeCell(lastMs)}, as of ${timeCell(nowMs)}. All times
        are UTC.
      </p>
      <dl class="tiles">
        ${tile('Active agents', countText(agents.active), `of ${countText(agents.total)} ever seen`)}
        ${tile(`On ${offered ?? 'the newest'}`, percentText(onIt?.share ?? 0), `${countText(onIt?.agents ?? 0)} agents`)}
        ${tile('Failure rate', percentText(current?.failureRate), failureText(current))}
        ${tile('Stuck', countText(agents.stuck), afterText('on an old version', options.stuckAfterMs))}
        ${tile('Silent', countText(agents.silent), afterText('not seen', options.silentAfterMs))}
      </dl>
    </header>
    <section aria-labelledby="attention">
      <h2 id="attention">What needs attention</h2>
      ${
        alerts.length === 0
          ? html`<p class="calm">
              Nothing: no failure rate, rollback, wrong hash, stuck or silent agents beyond the limits.
            </p>`
          : html`<ul class="alerts">
              ${alerts.map(({ code, text }) => html`<li><code title="${ALERT_CODES[code]}">${code}</code>${text}</li>`)}
            </ul>`
      }
    </section>`
}

function tile(label: string, figure: string, note: string): Html {
  return html`<div>
    <dt>${label}</dt>
    <dd>${figure}<small>${note}</small></dd>
  </div>`
}

function failureText(current: FleetFigures['releases'][number] | undefined): string {
  if (current?.failureRate === undefined) return 'nobody tried yet'
  return `${countText(current.rolledBack)} rolled back, ${countText(current.failed)} failed`
}

function afterText(what: string, afterMs: number | undefined): string {
  return afterMs === undefined ? what : `${what} for ${spanText(afterMs)}`
}
