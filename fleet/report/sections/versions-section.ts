import type { FleetFigures } from '../../fleet-figures.ts'
import { plotOf } from '../charts/plot.ts'
import { bandShape, thinOut } from '../charts/series.ts'
import { smallBar } from '../charts/share-bar.ts'
import { countText, percentText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import { tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

/** More colours than these cannot be told apart; the others go together, in the last tone. */
const BANDS_MAX = 6
const OTHERS_TONE = 's6'
const LABEL_MAX_CHARS = 10

type Point = FleetFigures['distribution'][number]

interface VersionBand {
  readonly text: string
  readonly tone: string
  readonly agentsAt: (point: Point) => number
}

/** Who runs what: over time, and now. */
export function versionsSection({ distribution, versions, releases }: FleetFigures): Html {
  return html`<section aria-labelledby="versions">
    <h2 id="versions">Versions</h2>
    ${distribution.length > 0 && distributionPlot(distribution, orderOf(releases, versions))}
    ${tableOf({
      caption: 'Versions that active agents run now',
      columns: [
        { head: 'version', cell: ({ key }) => (key === 'none' ? 'nothing installed' : key) },
        { head: 'part', kind: 'bar', cell: ({ share }) => smallBar([{ tone: 's0', share }]) },
        { head: 'agents', kind: 'figure', cell: ({ agents }) => countText(agents) },
        { head: 'share', kind: 'figure', cell: ({ share }) => percentText(share) },
      ],
      rows: versions,
    })}
  </section>`
}

/** Newest first, as the figures have them; then what only the past knows. */
function orderOf(releases: FleetFigures['releases'], versions: FleetFigures['versions']): readonly string[] {
  return [...new Set([...releases.map(({ version }) => version), ...versions.map(({ key }) => key)])]
}

function distributionPlot(distribution: readonly Point[], order: readonly string[]): Html | undefined {
  const points = thinOut(distribution)
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const bands = bandsOf(points, order)
  const totals = points.map((point) => Object.values(point.agents).reduce((sum, agents) => sum + agents, 0))
  const low = points.map(() => 0)
  const drawn = bands.map((band) => {
    const edges = points.map((point, index) => {
      const from = low[index] ?? 0
      const to = from + band.agentsAt(point) / Math.max(1, totals[index] ?? 0)
      low[index] = to
      return [from, to] as const
    })
    const [from, to] = edges.at(-1) ?? [0, 0]
    return { ...band, edges, from, to }
  })
  const end = drawn.filter(({ from, to }) => to > from)
  return plotOf({
    id: 'distribution',
    title: 'Versions over time, as shares of the agents seen',
    description: `At the end: ${end.map(({ text, from, to }) => `${text} ${percentText(to - from)}`).join(', ')}.`,
    fromMs: first.atMs,
    toMs: last.atMs,
    levels: ['0 %', '50 %', '100 %'],
    shapes: drawn.map(bandShape),
    labels: drawn.map(({ text, tone, from, to }) => ({ text: shortLabel(text), tone, level: (from + to) / 2 })),
    table: tableOf({
      caption: 'Agents on each version, by time',
      columns: [
        { head: 'at', cell: ({ atMs }: Point) => timeCell(atMs) },
        ...bands.map(({ text, agentsAt }) => ({
          head: text,
          kind: 'figure' as const,
          cell: (point: Point) => countText(agentsAt(point)),
        })),
      ],
      rows: points,
    }),
  })
}

/** The versions that had the largest shares, the newest first, and one band for all others. */
function bandsOf(points: readonly Point[], order: readonly string[]): readonly VersionBand[] {
  const peaks = new Map<string, number>()
  for (const { agents } of points) {
    for (const [version, count] of Object.entries(agents)) peaks.set(version, Math.max(peaks.get(version) ?? 0, count))
  }
  const rankOf = (version: string): number => (order.includes(version) ? order.indexOf(version) : order.length)
  const largest = [...peaks].toSorted(([, a], [, b]) => b - a).map(([version]) => version)
  const own = largest.slice(0, BANDS_MAX).toSorted((a, b) => rankOf(a) - rankOf(b))
  const others = largest.slice(BANDS_MAX)
  return [
    ...own.map((version, index) => ({
      text: version === 'none' ? 'nothing' : version,
      tone: `s${index}`,
      agentsAt: ({ agents }: Point) => (Object.hasOwn(agents, version) ? (agents[version] ?? 0) : 0),
    })),
    ...(others.length === 0
      ? []
      : [
          {
            text: 'others',
            tone: OTHERS_TONE,
            agentsAt: ({ agents }: Point) => others.reduce((sum, version) => sum + (agents[version] ?? 0), 0),
          },
        ]),
  ]
}

/** What a version ends with tells it from its neighbours. */
function shortLabel(text: string): string {
  return text.length <= LABEL_MAX_CHARS ? text : `…${text.slice(1 - LABEL_MAX_CHARS)}`
}
