import type { FleetFigures, ReleaseFigures } from '../../fleet-figures.ts'
import { smallBar, spanBar, swatch } from '../charts/share-bar.ts'
import { countText, NO_FIGURE, percentText, spanText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import { tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

type Timed = ReleaseFigures & { readonly timeToUpdate: NonNullable<ReleaseFigures['timeToUpdate']> }

/** How each release fared: success, rollback and failure, and the time that agents took. */
export function releasesSection({ releases }: FleetFigures): Html {
  const tried = releases.filter(({ updated, rolledBack, failed }) => updated + rolledBack + failed > 0)
  const timed = releases.filter((release): release is Timed => release.timeToUpdate !== undefined)
  const longest = Math.max(0, ...timed.map(({ timeToUpdate }) => timeToUpdate.p95))
  return html`<section aria-labelledby="releases">
    <h2 id="releases">How releases fared</h2>
    <p class="quiet">
      Of the agents that tried a release, each once: ${swatch('s2', 'updated')} ${swatch('s1', 'rolled back')}
      ${swatch('s3', 'could not install it')}
    </p>
    ${
      tried.length === 0
        ? html`<p>No agent has told of an update in these logs.</p>`
        : tableOf({
            caption: 'Success, rollback and failure of each release',
            columns: [
              { head: 'release', cell: ({ version }) => version },
              { head: 'outcome', kind: 'bar', cell: outcomeBar },
              { head: 'updated', kind: 'figure', cell: ({ updated }) => countText(updated) },
              { head: 'rolled back', kind: 'figure', cell: ({ rolledBack }) => countText(rolledBack) },
              { head: 'failed', kind: 'figure', cell: ({ failed }) => countText(failed) },
              { head: 'failure rate', kind: 'figure', cell: ({ failureRate }) => percentText(failureRate) },
              {
                head: 'first seen',
                cell: ({ firstSeenMs }) => (firstSeenMs === undefined ? NO_FIGURE : timeCell(firstSeenMs)),
              },
            ],
            rows: tried,
          })
    }
    ${
      timed.length > 0 &&
      html`<h3>Time to update</h3>
        <p class="quiet">
          From the first offer to the confirmation, waiting for stage and window included. The bar reaches from the
          median to the time within which 95 of 100 agents were done.
        </p>
        ${tableOf({
          caption: 'Time to update, by release',
          columns: [
            { head: 'release', cell: ({ version }: Timed) => version },
            {
              head: 'median to 95 %',
              kind: 'bar',
              cell: ({ timeToUpdate: { median, p95 } }: Timed) => spanBar(median, p95, longest),
            },
            { head: 'median', kind: 'figure', cell: ({ timeToUpdate }: Timed) => spanText(timeToUpdate.median * 1000) },
            { head: '95 %', kind: 'figure', cell: ({ timeToUpdate }: Timed) => spanText(timeToUpdate.p95 * 1000) },
            { head: 'longest', kind: 'figure', cell: ({ timeToUpdate }: Timed) => spanText(timeToUpdate.max * 1000) },
          ],
          rows: timed,
        })}`
    }
  </section>`
}

function outcomeBar({ updated, rolledBack, failed }: ReleaseFigures): Html {
  const tried = Math.max(1, updated + rolledBack + failed)
  return smallBar([
    { tone: 's2', share: updated / tried },
    { tone: 's1', share: rolledBack / tried },
    { tone: 's3', share: failed / tried },
  ])
}
