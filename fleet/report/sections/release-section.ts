import type { FleetFigures, ReleaseFigures } from '../../fleet-figures.ts'
import { plotOf } from '../charts/plot.ts'
import { bandShape, stepLine, thinOut } from '../charts/series.ts'
import { shareBar, swatch } from '../charts/share-bar.ts'
import { countOf, countText, percentText } from '../figure-text.ts'
import { html, type Html } from '../html.ts'
import { type ReportOptions, type RolloutView, stageAt } from '../report-options.ts'
import { tableOf } from '../table.ts'
import { timeCell } from './time-cell.ts'

/** How far the release that is offered has come. */
export function releaseSection(figures: FleetFigures, { rollout }: ReportOptions): Html | undefined {
  const { offered, versions, agents, nowMs } = figures
  if (offered === undefined) return undefined
  const release = figures.releases.find(({ version }) => version === offered)
  const count = (key: string): number => versions.find((one) => one.key === key)?.agents ?? 0
  const onIt = count(offered)
  const onTrial = Math.min(onIt, release?.onTrial ?? 0)
  const none = count('none')
  const parts = [
    { label: 'proved itself', tone: 's0', agents: onIt - onTrial },
    { label: 'on probation', tone: 's5', agents: onTrial },
    { label: 'on another version', tone: 's6', agents: Math.max(0, agents.active - onIt - none) },
    { label: 'nothing installed', tone: 'empty', agents: none },
  ].map((part) => ({ ...part, share: agents.active === 0 ? 0 : part.agents / agents.active }))
  const percent = rollout === undefined ? undefined : stageAt(rollout, nowMs)
  const words = `${countText(onIt)} of ${countOf(agents.active, 'active agent')} run ${offered}, ${countText(onTrial)} of them on probation.`
  const description = parts.map(({ label, share }) => `${percentText(share)} ${label}`).join(', ')
  return html`<section aria-labelledby="release">
    <h2 id="release">Release ${offered}</h2>
    <p>${words} ${rollout !== undefined && rolloutText(rollout, percent ?? 0)}</p>
    <svg width="100%" height="36" role="img" aria-labelledby="progress-title progress-desc">
      <title id="progress-title">Progress of ${offered}</title>
      <desc id="progress-desc">${description}</desc>
      <svg y="4" width="100%" height="28">${shareBar(parts, 28)}</svg>
      ${percent !== undefined && html`<line class="mark" x1="${percent}%" x2="${percent}%" y1="0" y2="36" />`}
    </svg>
    <dl class="legend">
      ${parts.map(
        ({ label, tone, share, agents: some }) =>
          html`<div>
            <dt>${swatch(tone, label)}</dt>
            <dd>${percentText(share)} (${countText(some)})</dd>
          </div>`,
      )}
    </dl>
    ${release !== undefined && adoptionPlot(release, figures, rollout)}
  </section>`
}

function rolloutText(rollout: RolloutView, percent: number): string {
  const stage = `The rollout stands at ${percent} %`
  return `${stage}${rollout.isPaused ? ', and is paused' : ''}, which the upright line marks.`
}

function adoptionPlot(
  { version, adoption }: ReleaseFigures,
  { agents }: FleetFigures,
  rollout: RolloutView | undefined,
): Html | undefined {
  const points = thinOut(adoption)
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined || agents.active === 0) return undefined
  const shareOf = (count: number): number => Math.min(1, count / agents.active)
  const rangeMs = last.atMs - first.atMs
  const steps =
    rollout === undefined || rangeMs <= 0
      ? []
      : [
          { at: 0, level: stageAt(rollout, first.atMs) / 100 },
          ...rollout.stages
            .filter(({ atMs }) => atMs > first.atMs && atMs <= last.atMs)
            .toSorted((a, b) => a.atMs - b.atMs)
            .map(({ atMs, percent }) => ({ at: (atMs - first.atMs) / rangeMs, level: percent / 100 })),
        ]
  return plotOf({
    id: 'adoption',
    title: `Agents that came to ${version}${steps.length > 0 ? '; dashed: what the rollout allowed' : ''}`,
    description: `${percentText(shareOf(first.agents))} of the active agents at first, ${percentText(shareOf(last.agents))} at last.`,
    fromMs: first.atMs,
    toMs: last.atMs,
    levels: ['0 %', '50 %', '100 %'],
    shapes: [
      bandShape({ tone: 's0', edges: points.map(({ agents: some }) => [0, shareOf(some)] as const) }),
      steps.length > 0 && stepLine(steps),
    ],
    table: tableOf({
      caption: `Agents that came to ${version}, by time`,
      columns: [
        { head: 'until', cell: ({ atMs }) => timeCell(atMs) },
        { head: 'agents', kind: 'figure', cell: ({ agents: some }) => countText(some) },
        { head: 'share', kind: 'figure', cell: ({ agents: some }) => percentText(shareOf(some)) },
      ],
      rows: points,
    }),
  })
}
