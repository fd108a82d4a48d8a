// docs/fleet-judge.md: its figures are computed, its pipeline is YAML, and its commands have the options that they use.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { loadYaml } from '@kubernetes/client-node'

import { SILENT_AFTER_MS } from '../../fleet/index.ts'
import { chanceOf, isBeyondChance } from '../../fleet/judge/binomial.ts'
import { JUDGE_TERMS } from '../../fleet/judge/terms.ts'
import { formatDuration } from '../../manifests/index.ts'
import { runMoult } from './moult-process.ts'
import { REPOSITORY } from '../helpers/moult.ts'

const PAGE = readFileSync(join(REPOSITORY, 'docs/fleet-judge.md'), 'utf8')

interface Pipeline {
  readonly on: { readonly schedule: readonly { readonly cron: string }[] }
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, { readonly steps: readonly { readonly run?: string }[] }>>
}

function rowsAfter(head: string): string[][] {
  const [, text = ''] = PAGE.split(`| ${head} |`)
  const lines = text.split('\n').slice(2)
  const end = lines.findIndex((line) => !line.startsWith('|'))
  return lines.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('the page says how often a release is halted that fails on so many machines', () => {
  const rows = rowsAfter('it fails on | 20 agents: halted | 100 agents: halted | 500 agents: halted')
  assert.equal(rows.length, 5)
  for (const [rate = '', ...shares] of rows) {
    const expected = [20, 100, 500].map((agents) => {
      const tooMany = Math.floor(agents * JUDGE_TERMS.maxFailureRate) + 1
      return `${(chanceOf(tooMany, agents, Number.parseFloat(rate) / 100) * 100).toFixed(1)} %`
    })
    assert.deepEqual(shares, expected, rate)
  }
})

test('the page says from how many failures on the first few agents are enough', () => {
  assert.match(PAGE, /At 5 percent that is two of three, or three of nine\./)
  const isEnough = (failures: number, agents: number): boolean => isBeyondChance(failures, agents, 0.05)
  assert.deepEqual([isEnough(2, 3), isEnough(2, 4), isEnough(3, 9), isEnough(3, 10)], [true, false, true, false])
})

test('the page names the defaults', () => {
  const { maxFailureRate, minAgents, soakMs, steps, maxLogAgeMs, minAdoption } = JUDGE_TERMS
  const defaults = rowsAfter('term | option | default').map(([, option, value]) => [option, value])
  assert.deepEqual(defaults, [
    ['`--max-failure-rate`', `${maxFailureRate * 100} percent`],
    ['`--min-agents`', String(minAgents)],
    ['`--soak`', formatDuration(soakMs).replace('1d', '24h')],
    ['`--steps`', steps.map((step) => `${step}%`).join(',')],
    ['`--max-age`', formatDuration(maxLogAgeMs)],
    ['`--min-adoption`', `${minAdoption * 100} percent`],
    ['`--silent-after`', formatDuration(SILENT_AFTER_MS)],
  ])
})

test('the pipeline is YAML with a schedule, and gives the key to one step alone', () => {
  const blocks = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)
  assert.equal(blocks.length, 1)
  const pipeline = loadYaml<Pipeline>(blocks[0] ?? '')
  assert.match(pipeline.on.schedule[0]?.cron ?? '', /^\d{1,2} \* \* \* \*$/)
  assert.equal(pipeline.permissions['id-token'], 'write')
  const runs = Object.values(pipeline.jobs).flatMap(({ steps }) => steps.map(({ run }) => run ?? ''))
  assert.equal(runs.filter((run) => run.includes('moult rollout advance --logs s3://')).length, 1)
  assert.equal((blocks[0] ?? '').split('secrets.').length, 2)
})

test('each command of the page exists, with the options that are given', async () => {
  const calls = [...PAGE.matchAll(/moult ((?:rollout advance|release))(?: [\d.]+)?( --[^\n`]*)/g)]
  assert.ok(calls.length >= 4, String(calls.length))
  const help = new Map<string, string>()
  for (const [, command = '', rest = ''] of calls) {
    const known = help.get(command) ?? (await runMoult([...command.split(' '), '--help'], REPOSITORY)).stdout
    help.set(command, known)
    for (const [option] of rest.matchAll(/--[a-z][a-z-]+/g)) assert.ok(known.includes(option), `${command} ${option}`)
  }
})
