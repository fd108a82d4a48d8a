// The pipelines of docs/ci.md are not run here, but they are YAML, give the action inputs that it has, read outputs that it
// gives, and call commands with options that exist.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { loadYaml } from '@kubernetes/client-node'

import { REPOSITORY, Scene } from '../helpers/moult.ts'

interface Step {
  readonly id?: string
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, string>>
}

interface Pipeline {
  readonly jobs?: Readonly<Record<string, { readonly steps: readonly Step[] }>>
}

const PAGE = readFileSync(join(REPOSITORY, 'docs/ci.md'), 'utf8')
const ACTION = loadYaml<Record<'inputs' | 'outputs', Record<string, unknown>>>(
  readFileSync(join(REPOSITORY, 'action.yml'), 'utf8'),
)
const BLOCKS = [...PAGE.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)

describe('docs/ci.md', { timeout: 120_000 }, () => {
  let scene: Scene
  before(() => {
    scene = new Scene('ci page')
  })
  after(() => scene.close())

  test('has pipelines whose use of the action fits it', () => {
    let uses = 0
    for (const text of BLOCKS) {
      const steps = Object.values(loadYaml<Pipeline>(text).jobs ?? {}).flatMap((job) => job.steps)
      for (const { uses: action = '', with: inputs = {} } of steps) {
        if (!/\/moult@/.test(action)) continue
        uses += 1
        for (const name of Object.keys(inputs)) assert.ok(name in ACTION.inputs, `no such input: ${name}`)
      }
    }
    assert.ok(uses >= 2)
    for (const [, name = ''] of PAGE.matchAll(/steps\.moult\.outputs\.([a-z-]+)/g))
      assert.ok(name in ACTION.outputs, name)
  })

  test('puts no secret into a command line, and none into the whole job', () => {
    for (const text of BLOCKS) {
      for (const [line] of text.matchAll(/^.*secrets\..*$/gm))
        assert.match(line, /^\s+(?:key|MOULT_KEY): \$\{\{ secrets\.\w+ \}\}$/)
      assert.doesNotMatch(text, /^(?:\s{2}\w+:\n)?\s{0,4}env:\n(?:\s+.*\n)*?\s+MOULT_KEY/m)
    }
  })

  test('calls commands with options that exist', async () => {
    const calls = [...PAGE.matchAll(/npx --no-install moult ((?:[a-z]+ )+)(.*)$/gm)]
    assert.ok(calls.length >= 3)
    for (const [, command = '', rest = ''] of calls) {
      const { stdout } = await scene.moultOk([...command.trim().split(' '), '--help'])
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) assert.ok(stdout.includes(`${option}`), `${command}${option}`)
    }
  })
})
