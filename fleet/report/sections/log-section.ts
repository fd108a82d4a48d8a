import { agentLabel } from '../../agent-names.ts'
import type { FleetFigures } from '../../fleet-figures.ts'
import { ERROR_CODES } from '../../../manifests/errors.ts'
import { countOf, countText, spanText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import type { ReportOptions } from '../report-options.ts'
import { tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

const EVENT_WORDS = { updated: 'updated to', 'rolled-back': 'rolled back', failed: 'could not install' } as const

/** What agents tell: errors and events; and what the logs held besides. */
export function logSection({ errors, events, lines }: FleetFigures, { names }: ReportOptions): Html {
  return html`<section aria-labelledby="errors">
      <h2 id="errors">Errors</h2>
      ${
        errors.length === 0
          ? html`<p>No agent reports one.</p>`
          : tableOf({
              caption: 'Errors that agents report, the most frequent first',
              columns: [
                { head: 'code', cell: ({ code }) => html`<code>${code}</code>` },
                { head: 'meaning', cell: ({ code }) => meaningOf(code) },
                { head: 'agents', kind: 'figure', cell: ({ agents }) => countText(agents) },
              ],
              rows: errors,
            })
      }
    </section>
    <section aria-labelledby="events">
      <h2 id="events">Recent events</h2>
      ${
        events.length === 0
          ? html`<p>None in these logs.</p>`
          : tableOf({
              caption: 'Recent events, the newest first',
              columns: [
                { head: 'time', cell: ({ atMs }) => timeCell(atMs) },
                { head: 'agent', cell: ({ id }) => html`<code>${agentLabel(id, names)}</code>` },
                { head: 'event', cell: ({ kind, version }) => `${EVENT_WORDS[kind] ?? kind} ${version}` },
                {
                  head: 'detail',
                  cell: ({ kind, detail }) => (kind === 'updated' ? spanText(Number(detail) * 1000) : detail),
                },
              ],
              rows: events,
            })
      }
    </section>
    <section aria-labelledby="lines">
      <h2 id="lines">What was read</h2>
      <p>
        ${countOf(lines.total, 'line')}: ${countOf(lines.polls, 'poll')}, ${countText(lines.others)} of downloads and
        other programs, ${countText(lines.malformed)} malformed.
      </p>
      ${
        lines.malformedExamples.length > 0 &&
        html`<details>
          <summary>The first malformed lines</summary>
          ${lines.malformedExamples.map((line) => html`<pre>${line}</pre>`)}
        </details>`
      }
    </section>`
}

function meaningOf(code: string): string {
  const facts: Readonly<Record<string, { readonly summary: string }>> = ERROR_CODES
  return Object.hasOwn(facts, `ERR_${code}`)
    ? (facts[`ERR_${code}`]?.summary ?? '')
    : 'not a code of this version of Moult'
}
