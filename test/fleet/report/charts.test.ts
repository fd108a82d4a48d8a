import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { PLOT_HEIGHT } from '../../../fleet/report/charts/plot.ts'
import { bandShape, stepLine, thinOut } from '../../../fleet/report/charts/series.ts'
import { shareBar } from '../../../fleet/report/charts/share-bar.ts'
import { reportHtml } from '../../../fleet/report/report-html.ts'
import { NOW_MS, sampleFigures } from '../sample-figures.ts'

/** The part of the report with versions over time. */
function distributionOf(agents: readonly Readonly<Record<string, number>>[]): string {
  const distribution = agents.map((each, index) => ({ atMs: NOW_MS + index * 3_600_000, agents: each }))
  const page = reportHtml(sampleFigures({ distribution }))
  return /<figcaption>Versions over time.*?<\/figure>/s.exec(page)?.[0] ?? ''
}

/** Corners of each band, upper edge from the left, then lower edge from the right. */
function bandsOf(figure: string): (readonly [x: number, y: number])[][] {
  return [...figure.matchAll(/<path class="band s\d" d="M([^"]+)Z"/g)].map(([, path = '']) =>
    path.split('L').map((corner) => {
      const [x = 0, y = 0] = corner.split(',').map(Number)
      return [x, y] as const
    }),
  )
}

describe('versions over time', () => {
  test('lie on each other without a gap, from the bottom to the top, the newest below', () => {
    const bands = bandsOf(
      distributionOf([
        { '1.4.1': 30, '1.4.2': 10 },
        { '1.4.1': 10, '1.4.2': 30 },
      ]),
    )
    assert.deepEqual(bands, [
      [
        [0, 750],
        [1000, 250],
        [1000, 1000],
        [0, 1000],
      ],
      [
        [0, 0],
        [1000, 0],
        [1000, 250],
        [0, 750],
      ],
    ])
  })

  test('beyond the six largest go together', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`1.${index}.0`, index + 1]))
    const figure = distributionOf([many, many])
    assert.equal(bandsOf(figure).length, 7)
    const labels = [...figure.matchAll(/<text\s+x="23"[^>]*>([^<]*)</g)].map(([, text]) => text)
    assert.deepEqual(new Set(labels), new Set(['1.29.0', '1.28.0', '1.27.0', '1.26.0', '1.25.0', '1.24.0', 'others']))
    const others = (30 * 31) / 2 - (30 + 29 + 28 + 27 + 26 + 25)
    assert.match(figure, new RegExp(`data-head="others">${others}<`))
  })

  test('have labels that do not touch, and none outside', () => {
    for (const shares of [
      [96, 1, 1, 1, 1],
      [1, 1, 1, 1, 96],
      [1, 1, 96, 1, 1],
      [50, 50],
      [1, 1, 1, 1, 1, 1, 94],
      [100],
    ]) {
      const figure = distributionOf([Object.fromEntries(shares.map((share, index) => [`1.4.${index}`, share]))])
      const at = [...figure.matchAll(/<text\s+x="23"\s+y="(\d+)"/g)].map(([, y]) => Number(y)).toSorted((a, b) => a - b)
      assert.equal(at.length, shares.length)
      for (const [index, y] of at.entries()) {
        assert.ok(y - (at[index - 1] ?? -100) >= 15, `${shares.join()}: ${at.join()}`)
        assert.ok(y >= 10 && y <= PLOT_HEIGHT + 24, `${shares.join()}: ${at.join()}`)
      }
    }
  })

  test('of an hour without any agent are no division by zero', () => {
    assert.doesNotMatch(distributionOf([{ '1.4.2': 0 }, {}, { '1.4.2': 3 }]), /NaN|Infinity/)
  })
})

test('of many points those stay that can be seen, and the last one', () => {
  for (const length of [0, 1, 240, 241, 1000, 100_000]) {
    const points = Array.from({ length }, (_, index) => index)
    const shown = thinOut(points)
    assert.ok(shown.length <= 240 && shown.length >= Math.min(length, 120), `${length}: ${shown.length}`)
    assert.equal(shown.at(-1), points.at(-1))
  }
})

test('one point is a level, and a step goes across before it goes up', () => {
  assert.match(String(bandShape({ tone: 's0', edges: [[0, 0.5]] })), /d="M0,500L1000,500L1000,1000L0,1000Z"/)
  const steps = [
    { at: 0, level: 0.05 },
    { at: 0.5, level: 1 },
  ]
  assert.match(String(stepLine(steps)), /d="M0 950H500V0H1000"/)
})

test('the parts of a bar are never wider than the whole', () => {
  const text = String(
    shareBar(
      [
        { tone: 's0', share: 0.7 },
        { tone: 's1', share: 0 },
        { tone: 's2', share: 0.7 },
      ],
      10,
    ),
  )
  const widths = [...text.matchAll(/class="(s\d)"\s+x="([\d.]+)%"\s+width="([\d.]+)%"/g)].map(([, ...found]) => found)
  assert.deepEqual(widths, [
    ['s0', '0', '70'],
    ['s2', '70', '30'],
  ])
})
