import assert from 'node:assert/strict'
import { test } from 'node:test'

import { statusText, type TerminalOptions } from '../../../fleet/report/terminal.ts'
import { agentOf, emptyFigures, NOW_MS, sampleFigures } from '../sample-figures.ts'

const PLAIN: TerminalOptions = { width: 100, isColored: false, isUnicode: true }

test('shows versions, releases, polls, agents and errors, and counts what it leaves out', () => {
  const text = statusText(sampleFigures(), PLAIN)
  assert.match(text, /^heartbeat-agent: 1,000 active agents of 1,037, 1\.4\.2 is offered\n/)
  assert.match(text, /\n1\.4\.2 +560 +56\.0 % +█{20,}\n/)
  assert.match(text, /\n1\.4\.2 +560 +9 +18 +4\.5 % +7 min +1 h 30 min\n/)
  assert.match(text, /\npolls per hour {2}[▁-█]{84}\n/)
  assert.match(text, /\nand 34 more\n/)
  assert.match(text, /\n! FLEET_STUCK 44 agents/)
})

test('no line is wider than the terminal, whatever its width', () => {
  const figures = sampleFigures({ stuck: [agentOf(1, 'x'.repeat(300), NOW_MS)] })
  for (const width of [1, 40, 41, 57, 80, 100, 132, 400]) {
    for (const isUnicode of [true, false]) {
      for (const line of statusText(figures, { ...PLAIN, width, isUnicode }).split('\n'))
        assert.ok(line.length <= Math.max(40, width), `${width}: ${line}`)
    }
  }
})

test('is ASCII where the terminal may show nothing else', () => {
  const figures = sampleFigures({
    releases: sampleFigures().releases.map((one) => ({ ...one, failureRate: undefined })),
  })
  assert.match(statusText(figures, { ...PLAIN, isUnicode: false, width: 60 }), /^[\n\x20-\x7e]+$/)
})

test('has colours only where they are wanted', () => {
  assert.doesNotMatch(statusText(sampleFigures(), PLAIN), /\u001b/)
  assert.match(statusText(sampleFigures(), { ...PLAIN, isColored: true }), /^\u001b\[1mheartbeat-agent.*\u001b\[0m\n/)
})

test('text of a log does not move the cursor, change a colour or begin a line', () => {
  const text = '\u001b[2J\u009b31m\rroot\n\u202eevil'
  const agent = { ...agentOf(1, text, NOW_MS), id: text, platform: text, error: text }
  const figures = sampleFigures({
    name: text,
    offered: text,
    versions: [{ key: text, agents: 1000, share: 1 }],
    releases: sampleFigures().releases.map((release) => ({ ...release, version: text })),
    stuck: [agent],
    silent: [agent],
    errors: [{ code: text, agents: 2 }],
  })
  const shown = statusText(figures, { ...PLAIN, width: 500 })
  assert.doesNotMatch(shown, /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]|^root/m)
  assert.equal(shown.split('\n').length, statusText({ ...figures, name: 'a', offered: 'b' }, PLAIN).split('\n').length)
})

test('says that there is nothing', () => {
  const text = statusText(emptyFigures(), PLAIN)
  assert.match(text, /FLEET_NO_DATA/)
  assert.doesNotMatch(text, /NaN|undefined/)
})
