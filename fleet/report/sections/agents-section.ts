import { agentLabel } from '../../agent-names.ts'
import type { AgentLine, FleetFigures } from '../../fleet-figures.ts'
import { NO_FIGURE, spanText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import type { ReportOptions } from '../report-options.ts'
import { type Column, tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

/** Agents that a person may have to visit. */
export function agentsSection(figures: FleetFigures, options: ReportOptions): Html {
  const { nowMs, agents, stuck, silent } = figures
  const name: Column<AgentLine> = {
    head: 'agent',
    cell: ({ id }) => html`<code>${agentLabel(id, options.names)}</code>`,
  }
  const rest: readonly Column<AgentLine>[] = [
    { head: 'version', cell: ({ version }) => version ?? 'none' },
    {
      head: 'platform',
      cell: ({ platform, channel }) => (channel === 'stable' ? platform : `${platform}, ${channel}`),
    },
    { head: 'state', cell: ({ state, error }) => [state ?? NO_FIGURE, error === undefined ? '' : `, ${error}`] },
  ]
  const seen: Column<AgentLine> = { head: 'last seen', cell: ({ lastMs }) => timeCell(lastMs) }
  return html`<section aria-labelledby="stuck">
      <h2 id="stuck">Stuck agents</h2>
      ${
        stuck.length === 0
          ? html`<p>None: every agent that polls runs what is offered, or has not been behind for long.</p>`
          : tableOf({
              caption: 'Agents that are seen and stay on an old version, the longest first',
              columns: [
                name,
                ...rest,
                { head: 'on it for', kind: 'figure', cell: ({ sinceMs }) => spanText(nowMs - sinceMs) },
                seen,
              ],
              rows: stuck,
              total: agents.stuck,
            })
      }
    </section>
    <section aria-labelledby="silent">
      <h2 id="silent">Silent agents</h2>
      ${
        silent.length === 0
          ? html`<p>None: every agent was seen lately.</p>`
          : tableOf({
              caption: 'Agents that are not seen any more, the longest first',
              columns: [
                name,
                ...rest,
                { head: 'silent for', kind: 'figure', cell: ({ lastMs }) => spanText(nowMs - lastMs) },
                seen,
              ],
              rows: silent,
              total: agents.silent,
            })
      }
    </section>`
}
