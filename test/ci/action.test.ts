// Runs the step of action.yml as a runner does: inputs as variables, outputs through the file GITHUB_OUTPUT.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { loadYaml } from '@kubernetes/client-node'

import { MAIN, readJson, REPOSITORY, Scene, type Finished } from '../helpers/moult.ts'

interface Step {
  readonly id: string
  readonly shell: string
  readonly run: string
  readonly env: Readonly<Record<string, string>>
  readonly 'working-directory': string
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default?: string }>>
  readonly outputs: Readonly<Record<string, { readonly description: string; readonly value: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}

const ACTION = loadYaml<Action>(readFileSync(join(REPOSITORY, 'action.yml'), 'utf8'))
const [STEP] = ACTION.runs.steps

interface Run extends Finished {
  readonly outputs: Readonly<Record<string, string>>
}

/** Replaces `${{ inputs.x }}` as a runner does before it starts the step. */
function evaluate(text: string, inputs: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{\{ inputs\.([a-z-]+) \}\}/g, (_, name: string) => {
    const input = ACTION.inputs[name]
    assert.ok(input !== undefined, `no such input: ${name}`)
    return inputs[name] ?? input.default ?? ''
  })
}

describe('the action of GitHub', { timeout: 180_000 }, () => {
  let scene: Scene
  let seed: string

  before(async () => {
    scene = new Scene('action')
    scene.folder('project')
    scene.write('project/bin/agent', '#!/bin/sh\necho at work\n', 0o755)
    await scene.moultOk(['init', '--name', 'probe', '--type', 'files', '--agent', 'bin/agent'], {
      cwd: scene.path('project'),
    })
    const config = scene.path('project/moult.config.json')
    writeFileSync(config, JSON.stringify({ ...readJson(config), platforms: ['linux-amd64'] }))
    seed = readJson<{ seed: string }>(scene.path('project/keys/moult.key')).seed
    // The moult of the project, as `npm ci` installs it.
    const bin = scene.write(
      'project/node_modules/.bin/moult',
      `#!/bin/sh\nexec ${process.execPath} '${MAIN}' "$@"\n`,
      0o755,
    )
    chmodSync(bin, 0o755)
    scene.write('project/package.json', '{"name": "probe-project", "private": true}')
  })
  after(() => scene.close())

  let count = 0
  const runStep = async (inputs: Readonly<Record<string, string>>, env: Record<string, string> = {}): Promise<Run> => {
    assert.ok(STEP !== undefined)
    count += 1
    const output = scene.write(`output-${count}`, '')
    const script = scene.write(`step-${count}.sh`, evaluate(STEP.run, inputs))
    const stepEnv = Object.fromEntries(Object.entries(STEP.env).map(([name, text]) => [name, evaluate(text, inputs)]))
    const finished = await scene.run('bash', ['--noprofile', '--norc', '-e', '-o', 'pipefail', script], {
      cwd: join(scene.path('project'), evaluate(STEP['working-directory'], inputs)),
      env: { ...stepEnv, GITHUB_OUTPUT: output, GITHUB_ACTION_PATH: REPOSITORY, GITHUB_ACTIONS: 'true', ...env },
    })
    const lines = readFileSync(output, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    const outputs = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    return { ...finished, outputs }
  }

  test('hands no input to the shell as text, and every input and output is described', () => {
    assert.deepEqual([ACTION.runs.using, ACTION.runs.steps.length, STEP?.shell], ['composite', 1, 'bash'])
    assert.doesNotMatch(STEP?.run ?? '', /\$\{\{/)
    const used = Object.values(STEP?.env ?? {}).concat(STEP?.['working-directory'] ?? '')
    const named = used.map((text) => /^\$\{\{ inputs\.([a-z-]+) \}\}$/.exec(text)?.[1])
    assert.deepEqual(new Set(named), new Set(Object.keys(ACTION.inputs)))
    for (const { description } of [...Object.values(ACTION.inputs), ...Object.values(ACTION.outputs)])
      assert.ok(description.length > 5)
    for (const [name, { value }] of Object.entries(ACTION.outputs))
      assert.equal(value, `\${{ steps.${STEP?.id}.outputs.${name} }}`)
  })

  test('publishes to the target of the configuration, and gives the result as outputs', async () => {
    const planned = await runStep({ version: 'v1.0.0', plan: 'true' })
    assert.equal(planned.code, 0, planned.stdout + planned.stderr)
    assert.equal(planned.outputs['kind'], 'planned')
    assert.ok(!existsSync(scene.path('project/updates/version.json')))
    const { code, outputs, stdout, stderr } = await runStep({ version: 'v1.0.0', percent: '5', expires: '30d' })
    assert.equal(code, 0, stdout + stderr)
    assert.deepEqual(
      [outputs['kind'], outputs['version'], outputs['channel'], outputs['sequence']],
      ['published', '1.0.0', 'stable', '1'],
    )
    assert.equal(
      (JSON.parse(outputs['result'] ?? '') as { rollout: { stages: { percent: number }[] } }).rollout.stages[0]
        ?.percent,
      5,
    )
    assert.deepEqual(
      Object.keys(outputs).toSorted(),
      Object.keys(ACTION.outputs)
        .filter((name) => name !== 'error-code')
        .toSorted(),
    )
    const again = await runStep({ version: '1.0.0' })
    assert.deepEqual([again.code, again.outputs['kind'], again.outputs['sequence']], [0, 'unchanged', ''])
  })

  test('shows a key that it was given nowhere but where it asks for its masking', async () => {
    const home = scene.path('project/keys')
    mkdirSync(scene.path('elsewhere'), { recursive: true })
    await scene.run('mv', [join(home, 'moult.key'), scene.path('elsewhere')])
    try {
      const passphrase = 'correct horse battery staple'
      const { code, stdout, stderr, outputs } = await runStep({ version: '1.0.1', key: seed, passphrase })
      assert.equal(code, 0, stdout + stderr)
      for (const secret of [seed, passphrase]) {
        assert.equal(stdout.split('\n').filter((line) => line === `::add-mask::${secret}`).length, 1)
        assert.ok(!stdout.replace(`::add-mask::${secret}`, '').includes(secret))
        assert.ok(!stderr.includes(secret) && !JSON.stringify(outputs).includes(secret))
      }
      const job = await runStep({ version: '1.0.2' }, { MOULT_KEY: seed })
      assert.equal(job.code, 0, 'a key of the job is used where the step has none')
      const none = await runStep({ version: '1.0.3' })
      assert.deepEqual([none.code, none.outputs['error-code']], [2, 'ERR_CONFIG_KEY'])
    } finally {
      await scene.run('mv', [scene.path('elsewhere/moult.key'), home])
    }
  })

  test('fails with the exit status of the command, and says why as an annotation', async () => {
    const { code, stdout, outputs } = await runStep({ version: '0.9.0' })
    assert.equal(code, 24, stdout)
    assert.deepEqual(outputs, { 'error-code': 'ERR_POLICY_REFUSED' })
    assert.match(
      stdout,
      /^::error::not newer than the live 1\.\d\.\d: 0\.9\.0 \(ERR_POLICY_REFUSED\)\. Agents do not go back/m,
    )
    const wrong = await runStep({ version: '1.1.0', rollout: 'maybe' })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stdout, /^::error::expected true or false/m)
    const both = await runStep({ version: '1.1.0', delta: 'false', 'delta-fleet': 'fleet.json' })
    assert.match(both.stdout, /^::error::--delta-fleet: expected no --no-delta beside it/m)
  })

  test('takes an input for a value, whatever it holds', async () => {
    const { code, outputs } = await runStep({
      version: '$(touch broken)`touch broken`; touch broken',
      channel: '--json',
    })
    assert.deepEqual([code, outputs['error-code']], [2, 'ERR_USAGE_INVALID'])
    assert.ok(!existsSync(scene.path('project/broken')))
  })

  test('installs no moult of a version that nobody has chosen', async () => {
    scene.folder('empty')
    scene.write('empty/package.json', '{"private": true}')
    for (const version of ['', 'latest', '^1.0.0']) {
      const inputs = { 'working-directory': '../empty', version: '1.1.0', 'moult-version': version }
      const { code, stdout } = await runStep(inputs, { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` })
      assert.equal(code, 2, stdout)
      assert.match(stdout, /^::error::moult is not installed/m)
    }
  })

  test('its script is clean', (t) => {
    try {
      execFileSync('shellcheck', ['--version'], { stdio: 'ignore' })
    } catch {
      return t.skip('shellcheck is not installed')
    }
    execFileSync('shellcheck', [join(REPOSITORY, 'scripts/release-action.sh')], { stdio: 'inherit' })
  })
})
