import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'

import type { FleetFigures } from '../../../fleet/fleet-figures.ts'
import { reportHtml } from '../../../fleet/report/report-html.ts'
import type { ReportOptions } from '../../../fleet/report/report-options.ts'
import { REPORT_STYLE } from '../../../fleet/report/style.ts'
import { agentOf, emptyFigures, HOUR_MS, NOW_MS, sampleFigures } from '../sample-figures.ts'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  `' onmouseover='alert(1)`,
  '</title></style></textarea><svg onload=alert(1)>',
  '&lt;b&gt; ]]> <!-- -->',
  '${alert(1)} {{7*7}}',
  '\u001b[2J\u202egnp.exe\u0000',
  '__proto__',
]

/** Everything of the figures that comes from a log, as this text. */
function figuresSaying(text: string): FleetFigures {
  const one = sampleFigures()
  const agent = { ...agentOf(1, text, NOW_MS), id: text, platform: text, channel: text, error: text }
  return {
    ...one,
    name: text,
    offered: text,
    lines: { ...one.lines, malformedExamples: [text] },
    versions: [{ key: text, agents: 1000, share: 1 }],
    platforms: [{ key: text, agents: 1000, share: 1 }],
    channels: [{ key: text, agents: 1000, share: 1 }],
    releases: one.releases.slice(0, 1).map((release) => ({ ...release, version: text })),
    distribution: one.distribution.map(({ atMs }) => ({ atMs, agents: Object.fromEntries([[text, 5]]) })),
    errors: [{ code: text, agents: 3 }],
    events: [{ atMs: NOW_MS, id: text, kind: 'failed', version: text, detail: text }],
    stuck: [{ ...agent, state: text as 'failed' }],
    silent: [agent],
  }
}

/** What a browser makes elements of. */
function tagsOf(page: string): string[] {
  return [...page.replace(/<style>.*?<\/style>/s, '').matchAll(/<[^>]*>/g)].map(([tag]) =>
    tag.replace(/"[^"]*"/g, '""'),
  )
}

describe('the report', () => {
  test('is one file: no script, no event handler, no address, and a policy that allows its own style alone', () => {
    const page = reportHtml(sampleFigures())
    assert.doesNotMatch(
      page,
      /<(?:script|iframe|object|embed|base|form|img|audio|video)\b|\son[a-z]+=|javascript:|@import|url\(/i,
    )
    assert.deepEqual(
      [...page.matchAll(/\b(?:src|href|action|srcset)="([^"]*)"/g)].map(([, to]) => to),
      ['data:,'],
    )
    assert.doesNotMatch(page, /\sstyle=/)
    const style = /<style>(.*?)<\/style>/s.exec(page)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    assert.ok(page.includes(`default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;;`))
  })

  for (const text of HOSTILE) {
    test(`shows what a log says, and does not obey it: ${JSON.stringify(text)}`, () => {
      const names = new Map([[text, text]])
      const hostile = reportHtml(figuresSaying(text), { names })
      const twin = 'harmless'.padEnd(text.length, '-')
      const harmless = reportHtml(figuresSaying(twin), { names: new Map([[twin, twin]]) })
      assert.deepEqual(tagsOf(hostile), tagsOf(harmless))
      // It is there, once cleaned and escaped, wherever its harmless twin is; shortened at a chart.
      const shown = text
        .replace(/[\0-\x1f\u202e]/g, '\ufffd')
        .replace(/[&<>"']/g, (char) => `&${{ '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": '#39' }[char]};`)
      assert.equal(hostile.split(shown).length, harmless.split(twin).length)
      assert.doesNotMatch(hostile, /[\0-\x09\x0b-\x1f\u202a-\u202e]/)
    })
  }

  test('says so where there is nothing', () => {
    const page = reportHtml(emptyFigures())
    assert.match(page, /FLEET_NO_DATA/)
    assert.doesNotMatch(page, /every agent/, 'which would be good news')
    assert.doesNotMatch(page, /NaN|undefined|Infinity|Invalid/)
  })

  test('never shows a figure that is none', () => {
    const [one] = sampleFigures().distribution
    assert.ok(one)
    const odd: Partial<FleetFigures>[] = [
      { distribution: [one], polls: [{ atMs: NOW_MS, polls: 0 }] },
      { distribution: [{ atMs: NOW_MS, agents: {} }] },
      { agents: { total: 0, active: 0, silent: 0, stuck: 0 } },
      { releases: [], versions: [] },
      { offered: '9.9.9' },
    ]
    for (const changes of odd) assert.doesNotMatch(reportHtml(sampleFigures(changes)), /NaN|undefined|Infinity|Invalid/)
  })

  test('shows at most 200 of the agents in a table, and counts the rest', () => {
    const stuck = Array.from({ length: 1000 }, (_, index) => agentOf(index, '1.2.7', NOW_MS))
    const page = reportHtml(
      sampleFigures({ stuck, agents: { total: 9000, active: 8000, stuck: 4321, silent: 0 }, silent: [] }),
    )
    const section = /<section aria-labelledby="stuck">.*?<\/section>/s.exec(page)?.[0] ?? ''
    assert.equal(section.match(/<th role="rowheader"/g)?.length, 200)
    assert.match(section, /and 4,121 more/)
  })

  test('has headings in order, a head in each row and column, and a title and a table for each chart', () => {
    const page = reportHtml(sampleFigures())
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level))
    assert.equal(levels.filter((level) => level === 1).length, 1)
    for (const [index, level] of levels.entries()) assert.ok(level - (levels[index - 1] ?? 0) <= 1, `h${level}`)
    const rows = page
      .split('<tbody')
      .slice(1)
      .flatMap((body) => (body.split('</tbody>')[0] ?? '').split('<tr').slice(1))
    assert.ok(rows.length > 50)
    for (const row of rows) assert.match(row, /<th role="rowheader" scope="row">/)
    for (const chart of page.match(/<figure class="chart">.*?<\/figure>/gs) ?? []) {
      const [, title = '', description = ''] = /role="img" aria-labelledby="(\S+) (\S+)"/.exec(chart) ?? []
      assert.match(chart, new RegExp(`<title id="${title}">[^<]+</title>\\s*<desc id="${description}">[^<]+</desc>`))
      assert.match(chart, /<details>.*<table.*<\/details>/s)
    }
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id)
    assert.equal(new Set(ids).size, ids.length)
  })

  test('shows names in place of pseudonyms, where they are known', () => {
    const [agent] = sampleFigures().stuck
    assert.ok(agent)
    const page = reportHtml(sampleFigures(), { names: new Map([[agent.id, 'Basel 7']]) })
    assert.ok(page.includes('>Basel 7<') && !page.includes(agent.id))
  })

  test('tells how far the rollout stands', () => {
    const stages = [
      { atMs: NOW_MS - 10 * HOUR_MS, percent: 25 },
      { atMs: NOW_MS - 20 * HOUR_MS, percent: 5 },
      { atMs: NOW_MS + HOUR_MS, percent: 100 },
    ]
    const say = (rollout: NonNullable<ReportOptions['rollout']>): string => reportHtml(sampleFigures(), { rollout })
    assert.match(say({ stages, isPaused: false }), /stands at 25 %, which/)
    assert.match(say({ stages, isPaused: true }), /stands at 25 %, and is paused/)
    assert.match(say({ stages: stages.slice(2), isPaused: false }), /stands at 0 %/)
    assert.doesNotMatch(reportHtml(sampleFigures()), /stands at/)
  })
})

describe('colours of the report', () => {
  const schemes = REPORT_STYLE.split(':root {')
    .slice(1)
    .map((text) => text.split('}')[0] ?? '')

  test('have the contrast that text and shapes need, in each scheme', () => {
    assert.equal(schemes.length, 3)
    for (const scheme of schemes) {
      const color = (name: string): string => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(scheme)?.[1] ?? ''
      const grounds = [color('ground'), color('soft'), color('alarm-soft')]
      for (const name of ['text', 'quiet', 'alarm']) {
        for (const ground of grounds) assert.ok(contrast(color(name), ground) >= 4.5, `${name} on ${ground}`)
      }
      for (const name of ['s0', 's1', 's2', 's3', 's4', 's5', 's6'])
        assert.ok(contrast(color(name), color('ground')) >= 3, `${name}: ${contrast(color(name), color('ground'))}`)
    }
  })
})

/** As WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
  return (high + 0.05) / (low + 0.05)
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((from) => {
    const part = Number.parseInt(color.slice(from, from + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
