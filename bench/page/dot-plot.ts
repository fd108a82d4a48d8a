// One row for each thing and one dot for each way of doing it, on a logarithmic scale: sizes that lie a thousandfold apart.

import { escaped } from '../../scripts/fleet-model/curve-svg.ts'
import { shortNumber, svgOf } from './bar-chart.ts'

const WIDTH = 760
const LEFT = 110
const RIGHT = 20
const ROW = 22
const LEGEND = 24
const TOP = 44

// Okabe and Ito's colours, which most people can tell apart, and a shape for the one that matters.
const COLOURS = ['#0969da', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c959f', '#b0a000']

export interface DotRow {
  readonly name: string
  /** By series; undefined leaves a gap. */
  readonly values: readonly (number | undefined)[]
}

/** @param series the first is our own, and stands out */
export function drawDots(title: string, unit: string, series: readonly string[], rows: readonly DotRow[]): string {
  const values = rows.flatMap((row) => row.values.filter((value) => value !== undefined))
  const low = Math.floor(Math.log10(Math.min(...values)))
  const high = Math.ceil(Math.log10(Math.max(...values)))
  const x = (value: number): number =>
    LEFT + ((Math.log10(value) - low) / Math.max(1, high - low)) * (WIDTH - LEFT - RIGHT)
  const top = TOP + LEGEND
  const bottom = top + rows.length * ROW
  const decades = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index))
  return svgOf(title, WIDTH, bottom + 44, '', [
    ...series.map((name, index) => {
      if (rows.every((row) => row.values[index] === undefined)) return ''
      const at = LEFT + index * ((WIDTH - LEFT - RIGHT) / series.length)
      return `${mark(at, TOP, index)}<text x="${at + 9}" y="${TOP + 4}">${escaped(name)}</text>`
    }),
    ...decades.map((value) => `<line class="grid" x1="${x(value)}" x2="${x(value)}" y1="${top - 6}" y2="${bottom}"/>`),
    ...decades.map(
      (value) => `<text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${shortNumber(value)}</text>`,
    ),
    `<text x="${LEFT}" y="${bottom + 34}">${escaped(unit)}</text>`,
    ...rows.map((row, index) => drawRow(row, top + index * ROW + ROW / 2, x)),
  ])
}

function drawRow({ name, values }: DotRow, y: number, x: (value: number) => number): string {
  // Our own last, so that nothing lies over it.
  const dots = values.map((value, index) => (value === undefined ? '' : mark(x(value), y, index))).toReversed()
  const grid = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>`
  return [`<text x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${escaped(name)}</text>`, grid, ...dots].join('\n')
}

function mark(x: number, y: number, index: number): string {
  const fill = `fill="${COLOURS[index % COLOURS.length]}"`
  if (index > 0) return `<circle cx="${x.toFixed(1)}" cy="${y}" r="4.5" ${fill}/>`
  return `<path d="M${x.toFixed(1)} ${y - 7}l7 7l-7 7l-7 -7Z" ${fill}/>`
}
