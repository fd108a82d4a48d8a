// Curves of a run as one SVG file that stands on its own, readable on light and on dark paper.

const WIDTH = 760
const LEFT = 60
const RIGHT = 16
const TOP = 44
const PANEL = 170
const GAP = 46
const POINTS_MAX = 720

export const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; font-size: 14px; fill: #1f2328 }
  .paper { fill: #ffffff } .grid { stroke: #d0d7de; stroke-width: 1 }
  .mean { stroke: #9a6700; stroke-width: 1.2; stroke-dasharray: 5 4 }
  .curve { fill: none; stroke: #0969da; stroke-width: 1.6 } .range { fill: #0969da; opacity: 0.25 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title { fill: #f0f6fc } .paper { fill: #0d1117 } .grid { stroke: #30363d }
    .mean { stroke: #d29922 } .curve { stroke: #4493f8 } .range { fill: #4493f8 }
  }
`

export interface Panel {
  readonly label: string
  /** One value a second. */
  readonly values: ArrayLike<number>
  /** Drawn as a dashed line. */
  readonly mean?: number
  /** Values below this are not cut off. */
  readonly top?: number
}

/** Panels below each other over the same time. Of the values under one point the curve shows the mean, a band all of them. */
export function drawCurves(title: string, panels: readonly Panel[]): string {
  const height = TOP + panels.length * (PANEL + GAP)
  const bodies = panels.map((panel, index) => drawPanel(panel, TOP + index * (PANEL + GAP)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="${LEFT}" y="20">${escaped(title)}</text>`,
    ...bodies,
    '</svg>\n',
  ].join('\n')
}

function drawPanel({ label, values, mean, top = 0 }: Panel, y: number): string {
  const perPoint = Math.max(1, Math.ceil(values.length / POINTS_MAX))
  const points = pointsOf(values, perPoint)
  const most = Math.max(1e-9, top, (mean ?? 0) * 1.1, ...points.map(({ high }) => high))
  const [step, ceiling] = scaleOf(most)
  const xAt = (second: number): string => (LEFT + (second / values.length) * (WIDTH - LEFT - RIGHT)).toFixed(1)
  const yAt = (value: number): string => (y + PANEL - (value / ceiling) * PANEL).toFixed(1)
  const line = (d: readonly string[]): string => `M${d.join('L')}`
  const level = (cls: string, value: number): string =>
    `<line class="${cls}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${yAt(value)}" y2="${yAt(value)}"/>`
  const marks = Array.from({ length: Math.round(ceiling / step) + 1 }, (_, index) => index * step)
  const clock = Array.from({ length: Math.floor(values.length / tickS(values.length)) + 1 }, (_, index) => {
    const second = index * tickS(values.length)
    return `<text x="${xAt(second)}" y="${y + PANEL + 16}" text-anchor="middle">${clockText(second)}</text>`
  })
  const edge = [
    ...points.map(({ at, high }) => `${xAt(at)},${yAt(high)}`),
    ...points.toReversed().map(({ at, low }) => `${xAt(at)},${yAt(low)}`),
  ]
  return [
    `<text x="${LEFT}" y="${y - 6}">${escaped(label)}</text>`,
    ...marks.map((value) => level('grid', value)),
    ...marks.map((value) => `<text x="${LEFT - 6}" y="${Number(yAt(value)) + 4}" text-anchor="end">${value}</text>`),
    `<path class="range" d="${line(edge)}Z"/>`,
    `<path class="curve" d="${line(points.map(({ at, middle }) => `${xAt(at)},${yAt(middle)}`))}"/>`,
    ...(mean === undefined ? [] : [level('mean', mean)]),
    ...clock,
  ].join('\n')
}

function pointsOf(
  values: ArrayLike<number>,
  perPoint: number,
): { at: number; low: number; high: number; middle: number }[] {
  return Array.from({ length: Math.floor(values.length / perPoint) }, (_, index) => {
    const own = Array.from({ length: perPoint }, (__, offset) => values[index * perPoint + offset] ?? 0)
    const middle = own.reduce((total, value) => total + value, 0) / perPoint
    return { at: (index + 0.5) * perPoint, low: Math.min(...own), high: Math.max(...own), middle }
  })
}

/** A round step, and the first multiple of it that is not below `most`. */
export function scaleOf(most: number): [step: number, ceiling: number] {
  const power = 10 ** Math.floor(Math.log10(most / 4))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => most / size <= 5) ?? most
  return [step, Math.ceil(most / step) * step]
}

function tickS(seconds: number): number {
  return [300, 600, 1200, 1800, 3600].find((size) => seconds / size <= 9) ?? 3600
}

function clockText(second: number): string {
  return `${Math.floor(second / 3600)}:${String(Math.floor((second % 3600) / 60)).padStart(2, '0')}`
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
