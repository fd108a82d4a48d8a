// Shapes of charts over time, in the plane of a plot.

import { html, type Html } from '../html.ts'
import { PLANE, planeText } from './plot.ts'

/** More points than these cannot be told apart. */
const POINTS_MAX = 240

/** As many of the points as can be seen, the last one always among them. */
export function thinOut<T>(points: readonly T[]): readonly T[] {
  const every = Math.ceil(points.length / POINTS_MAX)
  return every <= 1 ? points : points.filter((_, index) => (points.length - 1 - index) % every === 0)
}

export interface Band {
  readonly tone: string
  /** Lower and upper edge at each point, 0 to 1. */
  readonly edges: readonly (readonly [low: number, high: number])[]
}

/** An area between two edges; one point alone is a level over the whole width. */
export function bandShape({ tone, edges }: Band): Html {
  const steps = edges.length === 1 ? [...edges, ...edges] : edges
  const xOf = (index: number): string => planeText((index / Math.max(1, steps.length - 1)) * PLANE)
  const yOf = (level: number): string => planeText((1 - level) * PLANE)
  const upper = steps.map(([, high], index) => `${xOf(index)},${yOf(high)}`)
  const lower = steps.map(([low], index) => `${xOf(index)},${yOf(low)}`).reverse()
  return html`<path class="band ${tone}" d="M${upper.join('L')}L${lower.join('L')}Z" />`
}

/** @param levels by place from the left, both 0 to 1 */
export function stepLine(levels: readonly { readonly at: number; readonly level: number }[]): Html {
  let path = ''
  for (const { at, level } of levels) {
    const [x, y] = [planeText(at * PLANE), planeText((1 - level) * PLANE)]
    path += path === '' ? `M${x} ${y}` : `H${x}V${y}`
  }
  return html`<path class="step" d="${path}H${PLANE}" />`
}
