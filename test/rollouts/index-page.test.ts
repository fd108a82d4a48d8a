// The commands of docs/rollouts/README.md have options that exist, and what its tables call a condition or an effect is one.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { parseRule, printRule } from '../../release/rollout/rule-text.ts'
import { REPOSITORY, Scene } from '../helpers/moult.ts'

const FOLDER = join(REPOSITORY, 'docs/rollouts')
const PAGE = readFileSync(join(FOLDER, 'README.md'), 'utf8')

/** What stands in the first column of a table, as a person would type it. */
function namesIn(heading: string): string[] {
  const [, rows = ''] = new RegExp(`^\\| ${heading}.*\\n.*\\n((?:\\| .*\\n)+)`, 'm').exec(PAGE) ?? []
  const [...cells] = rows.matchAll(/^\| (`.*?`) \| /gm)
  return cells.flatMap(([, cell = '']) =>
    [...cell.replaceAll('\\|', '|').matchAll(/`([^`]+)`/g)].map(([, one = '']) => one),
  )
}

describe('docs/rollouts/README.md', { timeout: 120_000 }, () => {
  let scene: Scene
  before(() => {
    scene = new Scene('rollouts page')
  })
  after(() => scene.close())

  test('calls commands with options that exist', async () => {
    const calls = [...PAGE.matchAll(/^moult ((?:[a-z]+ ?)+)(.*)$/gm)]
    assert.equal(calls.length, 10)
    for (const [, command = '', rest = ''] of calls) {
      const { stdout } = await scene.moultOk([...command.trim().split(' '), '--help'])
      for (const [option] of rest.matchAll(/--[a-z-]+/g))
        assert.ok(stdout.includes(`${option} `), `${command}${option}`)
    }
  })

  test('has each kind of condition and effect, as rules have them', () => {
    const conditions = namesIn('condition')
    const effects = namesIn('effect')
    assert.deepEqual([conditions.length, effects.length], [5, 6])
    for (const condition of conditions) parseRule(`${condition} -> hold`, 'rule')
    for (const effect of effects) parseRule(`all -> ${effect}`, 'rule')
    const joined = `${conditions.slice(1).join(' & ')} -> ${effects.slice(1, 2).join('')}; ${effects.slice(4).join('; ')}`
    const rule = parseRule(joined, 'rule')
    assert.deepEqual(Object.keys(rule.match).toSorted(), ['ids', 'labels', 'platforms', 'versions'])
    assert.deepEqual(parseRule(printRule(rule), 'rule'), rule)
  })

  test('leads to pages that are there', () => {
    const links = [...PAGE.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link)
    assert.ok(links.length >= 7)
    for (const link of links) assert.ok(existsSync(join(FOLDER, link)), link)
  })
})
