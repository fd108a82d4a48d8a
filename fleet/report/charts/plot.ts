// The frame of a chart over time: axis, lines and labels are drawn in pixels, so that they are readable at any width, and
// only the shapes are stretched. A table with the same figures stands below.

import { tickText } from '../figure-text.ts'
import { html, type Html, type HtmlValue } from '../html.ts'

/** Height of the drawing, without the line of ticks below it. */
export const PLOT_HEIGHT = 200
const TICKS_HEIGHT = 24
const TOP = 8
/** Shapes use a plane of this size, its origin at the top left. */
export const PLANE = 1000
const LABEL_GAP = 16
const LABELS_WIDTH = 92

export interface PlotLabel {
  readonly text: string
  /** 0 at the bottom, 1 at the top. */
  readonly level: number
  /** Class of the colour. */
  readonly tone: string
}

export interface Plot {
  /** Unique in the page; of letters and hyphens. */
  readonly id: string
  readonly title: string
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
  /** What the lines at 0, a half and the whole of the height mean. */
  readonly levels: readonly [string, string, string]
  readonly shapes: HtmlValue
  /** Stand beside the right end. */
  readonly labels?: readonly PlotLabel[]
  readonly table: Html
}

export function plotOf(plot: Plot): Html {
  const { id, title, description, levels, shapes, labels = [], table } = plot
  const height = TOP + PLOT_HEIGHT + TICKS_HEIGHT
  const yOf = (level: number): number => TOP + (1 - level) * PLOT_HEIGHT
  const rangeMs = plot.toMs - plot.fromMs
  const ticks = [0, 0.5, 1].map((part) => ({ part, text: tickText(plot.fromMs + part * rangeMs, rangeMs) }))
  return html`<figure class="chart">
    <figcaption>${title}</figcaption>
    <div class="plot">
      <svg class="levels" width="44" height="${height}" aria-hidden="true" focusable="false">
        ${levels.map((text, index) => html`<text x="38" y="${yOf(index / 2) + 4}" class="end">${text}</text>`)}
      </svg>
      <svg class="drawing" width="100%" height="${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
        <title id="${id}-title">${title}</title>
        <desc id="${id}-desc">${description}</desc>
        <svg y="${TOP}" width="100%" height="${PLOT_HEIGHT}" viewBox="0 0 ${PLANE} ${PLANE}" preserveAspectRatio="none">
          ${shapes}
        </svg>
        ${[0, 0.5, 1].map((level) => html`<line class="grid" x1="0" x2="100%" y1="${yOf(level)}" y2="${yOf(level)}" />`)}
        ${ticks.map(
          ({ part, text }, index) =>
            html`<text x="${part * 100}%" y="${height - 6}" class="${['start', 'middle', 'end'][index]}"
              >${text}</text
            >`,
        )}
      </svg>
      ${
        labels.length > 0 &&
        html`<svg class="labels" width="${LABELS_WIDTH}" height="${height}" aria-hidden="true" focusable="false">
          ${spreadLabels(labels, yOf).map(
            ({ label, y }) =>
              html`<rect class="${label.tone}" x="8" y="${y - 5}" width="10" height="10" rx="2" /><text
                  x="23"
                  y="${y + 4}"
                  >${label.text}</text
                >`,
          )}
        </svg>`
      }
    </div>
    <details>
      <summary>The same as a table</summary>
      ${table}
    </details>
  </figure>`
}

/** Labels at their levels, from the bottom up, moved apart where they would touch. */
function spreadLabels(
  labels: readonly PlotLabel[],
  yOf: (level: number) => number,
): readonly { readonly label: PlotLabel; readonly y: number }[] {
  const placed = labels.toSorted((a, b) => a.level - b.level).map((label) => ({ label, y: yOf(label.level) }))
  // Upwards, each at least a line above the one below it; then down again, where that went beyond the top.
  for (const [index, each] of placed.entries()) {
    const below = placed[index - 1]
    if (below !== undefined) each.y = Math.min(each.y, below.y - LABEL_GAP)
  }
  let highest = TOP + LABEL_GAP / 2
  for (const each of placed.toReversed()) {
    each.y = Math.max(each.y, highest)
    highest = each.y + LABEL_GAP
  }
  return placed.map(({ label, y }) => ({ label, y: Math.round(y) }))
}

/** A number of the plane, short. */
export function planeText(value: number): string {
  return String(Math.round(value * 10) / 10)
}
