// Horizontal bars as one SVG file that stands on its own, readable on light and on dark paper.

import { escaped, scaleOf, STYLE } from '../../scripts/fleet-model/curve-svg.ts'
import type { Spread } from '../lab/spread.ts'

const WIDTH = 760
const LEFT = 250
const RIGHT = 90
const TOP = 40
const BAR = 18
const GAP = 7
const PANEL_GAP = 58

const BAR_STYLE = `
  .own { fill: #0969da } .other { fill: #8c959f } .range { stroke: #1f2328; stroke-width: 1.2; opacity: 1 }
  @media (prefers-color-scheme: dark) { .own { fill: #4493f8 } .other { fill: #6e7681 } .range { stroke: #f0f6fc } }
`

export interface Bar {
  readonly name: string
  readonly value: Spread | number
  readonly isOwn: boolean
}

export interface BarPanel {
  readonly label: string
  readonly bars: readonly Bar[]
}

/** Panels below each other, each with a scale of its own. A line over a bar goes from the least to the most of the rounds. */
export function drawBars(title: string, panels: readonly BarPanel[]): string {
  let y = TOP
  const bodies = panels.map((panel) => {
    const body = drawPanel(panel, y + 20)
    y += 20 + panel.bars.length * (BAR + GAP) + PANEL_GAP - 20
    return body
  })
  return svgOf(title, WIDTH, y, BAR_STYLE, bodies)
}

export function svgOf(title: string, width: number, height: number, style: string, bodies: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}${style}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="16" y="22">${escaped(title)}</text>`,
    ...bodies,
    '</svg>\n',
  ].join('\n')
}

function drawPanel({ label, bars }: BarPanel, y: number): string {
  const [step, ceiling] = scaleOf(Math.max(1e-9, ...bars.map(({ value }) => mostOf(value))))
  const width = (value: number): number => (value / ceiling) * (WIDTH - LEFT - RIGHT)
  const bottom = y + bars.length * (BAR + GAP)
  const marks = Array.from({ length: Math.round(ceiling / step) + 1 }, (_, index) => index * step)
  const x = (value: number): string => (LEFT + width(value)).toFixed(1)
  return [
    `<text x="16" y="${y - 10}">${escaped(label)}</text>`,
    ...marks.map((value) => `<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${y - 3}" y2="${bottom}"/>`),
    ...marks.map(
      (value) => `<text x="${x(value)}" y="${bottom + 14}" text-anchor="middle">${shortNumber(value)}</text>`,
    ),
    ...bars.map((bar, index) => drawBar(bar, y + index * (BAR + GAP), x)),
  ].join('\n')
}

function drawBar({ name, value, isOwn }: Bar, y: number, x: (value: number) => string): string {
  const middle = typeof value === 'number' ? value : value.median
  const line = y + BAR / 2
  return [
    `<text x="${LEFT - 8}" y="${line + 4}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="${isOwn ? 'own' : 'other'}" x="${LEFT}" y="${y}" width="${(Number(x(middle)) - LEFT).toFixed(1)}" height="${BAR}"/>`,
    typeof value === 'number' || value.rounds === 1
      ? ''
      : `<line class="range" x1="${x(value.least)}" x2="${x(value.most)}" y1="${line}" y2="${line}"/>`,
    `<text x="${Number(x(mostOf(value))) + 6}" y="${line + 4}">${shortNumber(middle)}</text>`,
  ].join('\n')
}

function mostOf(value: Spread | number): number {
  return typeof value === 'number' ? value : value.most
}

/** Three digits are enough for a picture. */
export function shortNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
