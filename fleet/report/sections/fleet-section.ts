import type { FleetFigures, Share } from '../../fleet-figures.ts'
import { BEACON_STATES } from '../../../manifests/beacon.ts'
import { plotOf } from '../charts/plot.ts'
import { bandShape, thinOut } from '../charts/series.ts'
import { smallBar } from '../charts/share-bar.ts'
import { countOf, countText, percentText, shortCountText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import { tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

/** What the active agents are, and how often the fleet asks. */
export function fleetSection({ agents, states, platforms, channels, polls }: FleetFigures): Html {
  const byState = BEACON_STATES.map((key) => ({
    key,
    agents: states[key],
    share: agents.active === 0 ? 0 : states[key] / agents.active,
  }))
  return html`<section aria-labelledby="fleet">
    <h2 id="fleet">The fleet</h2>
    <div class="pair">
      <div>
        <h3>State</h3>
        ${sharesTable('state', 'States of active agents', byState)}
      </div>
      <div>
        <h3>Platform</h3>
        ${sharesTable('platform', 'Platforms of active agents', platforms)}
        <h3>Channel</h3>
        ${sharesTable('channel', 'Channels of active agents', channels)}
      </div>
    </div>
    ${pollsPlot(polls)}
  </section>`
}

function sharesTable(head: string, caption: string, rows: readonly Share[]): Html {
  return tableOf({
    caption,
    columns: [
      { head, cell: ({ key }) => key },
      { head: 'part', kind: 'bar', cell: ({ share }) => smallBar([{ tone: 's0', share }]) },
      { head: 'agents', kind: 'figure', cell: ({ agents }) => countText(agents) },
      { head: 'share', kind: 'figure', cell: ({ share }) => percentText(share) },
    ],
    rows,
  })
}

function pollsPlot(all: FleetFigures['polls']): Html | undefined {
  const points = thinOut(all)
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const most = Math.max(...points.map(({ polls }) => polls))
  const top = roundUp(most)
  return plotOf({
    id: 'polls',
    title: 'Polls per hour',
    description: `Between ${countText(Math.min(...points.map(({ polls }) => polls)))} and ${countOf(most, 'poll')} an hour.`,
    fromMs: first.atMs,
    toMs: last.atMs,
    levels: ['0', shortCountText(top / 2), shortCountText(top)],
    shapes: bandShape({ tone: 's0', edges: points.map(({ polls }) => [0, polls / top] as const) }),
    table: tableOf({
      caption: 'Polls per hour',
      columns: [
        { head: 'hour', cell: ({ atMs }) => timeCell(atMs) },
        { head: 'polls', kind: 'figure', cell: ({ polls }) => countText(polls) },
      ],
      rows: points,
    }),
  })
}

/** The next round number whose half is one, too. */
function roundUp(count: number): number {
  const size = 10 ** Math.floor(Math.log10(Math.max(1, count)))
  const factors = size === 1 ? [2, 4, 6, 8, 10] : [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10]
  return size * (factors.find((factor) => factor * size >= count) ?? 10)
}
