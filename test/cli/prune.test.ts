import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { makeProject, snapshot } from '../release/project-fixture.ts'
import { pruneOf, releaseEach, SMALL } from '../release/prune/prune-place.ts'
import { runMoult } from './moult-process.ts'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const VERSIONS = ['1.0.0', '1.0.1', '1.0.2']

/** At once, while this process stands still in the middle of something. */
function runMeanwhile(
  args: readonly string[],
  cwd: string,
): { readonly status: number | null; readonly stderr: string } {
  const argv = ['--import', import.meta.resolve('tsx'), MAIN, ...args]
  return spawnSync(process.execPath, argv, { cwd, encoding: 'utf8', env: { ...process.env, MOULT_KEY: undefined } })
}

test('prune needs --yes where nobody can be asked, and --plan never does', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, VERSIONS)
  const before = await snapshot(project.updates)
  const refused = await runMoult(['prune', '--keep', '2'], project.dir)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /nothing was removed: there is no terminal to ask at\nhint: .*--yes/)
  assert.match(refused.stderr, /ERR_USAGE_INVALID/)
  for (const [option, value] of [
    ['--keep', '1'],
    ['--keep', 'all'],
  ] as const)
    assert.equal((await runMoult(['prune', '--yes', option, value], project.dir)).code, 2, value)
  const plan = await runMoult(['prune', '--keep', '2', '--plan'], project.dir)
  assert.equal(plan.code, 0, plan.stderr)
  assert.match(plan.stdout, /^Plan for probe in .*: 2 files, \d+ B would be removed\n/)
  assert.match(plan.stdout, /\n {2}remove {2}releases\/1\.0\.0\.json +\d+ B {2}needed by no manifest\n/)
  assert.match(plan.stdout, /\n {2}keep {4}bin\/1\.0\.2\/probe-linux-amd64 +\d+ B {2}live on stable\n/)
  assert.deepEqual(await snapshot(project.updates), before)

  const { code, stdout } = await runMoult(['prune', '--keep', '2', '--yes', '--json'], project.dir)
  assert.equal(code, 0)
  const result = JSON.parse(stdout) as {
    kind: string
    files: { path: string; action: string; size: number; why: string }[]
  }
  assert.deepEqual(
    [result.kind, result.files.filter(({ action }) => action === 'remove').map(({ path }) => path)],
    ['pruned', ['releases/1.0.0.json', 'bin/1.0.0/probe-linux-amd64']],
  )
  assert.equal((await runMoult(['verify'], project.dir)).code, 0)
})

test('a release that is being published keeps prune out, and prune a release: exit 27, and who it is', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, VERSIONS)
  let pruned: ReturnType<typeof runMeanwhile> | undefined
  const on = (event: { kind: string; step?: string }): void => {
    if (event.step === 'publish') pruned ??= runMeanwhile(['prune', '--keep', '2', '--yes'], project.dir)
  }
  await project.writeAgents('echo next')
  assert.equal((await project.release('1.0.3', {}, { on })).kind, 'published')
  assert.equal(pruned?.status, 27, pruned?.stderr)
  assert.match(pruned?.stderr ?? '', new RegExp(`1\\.0\\.3 on stable.* process ${process.pid} on `))
  assert.ok((await readdir(join(project.updates, 'releases'))).includes('1.0.0.json'))

  await project.writeAgents('echo later')
  let released: ReturnType<typeof runMeanwhile> | undefined
  await pruneOf(
    project,
    { keep: 2 },
    {
      on: (event) => {
        if (event.kind === 'step' && event.step === 'remove')
          released ??= runMeanwhile(['release', '1.0.4'], project.dir)
      },
    },
  )
  assert.equal(released?.status, 27, released?.stderr)
  assert.match(released?.stderr ?? '', new RegExp(`prune.* process ${process.pid} on `))
  assert.deepEqual((await readdir(join(project.updates, 'releases'))).toSorted(), ['1.0.2.json', '1.0.3.json'])
  assert.equal((await runMoult(['release', '1.0.4'], project.dir)).code, 0)
})

test('at a terminal the person sees what would go and is asked, and anything but yes removes nothing', async (t) => {
  if (process.platform !== 'linux' || spawnSync('script', ['--version']).status !== 0)
    return t.skip('script(1) is not installed: the question was NOT tested')
  const project = await makeProject(t, SMALL)
  await releaseEach(project, VERSIONS)
  const before = await snapshot(project.updates)
  const command = `'${process.execPath}' --import '${import.meta.resolve('tsx')}' '${MAIN}' prune --keep 2`
  const answer = (text: string) =>
    spawnSync('script', ['-qec', command, '/dev/null'], { cwd: project.dir, input: `${text}\n`, encoding: 'utf8' })
  const refused = answer('no')
  assert.match(refused.stdout, /remove {2}releases\/1\.0\.0\.json[^]*Remove 2 files, \d+ B from .*\? \[y\/N\]/)
  assert.match(refused.stdout, /nothing was removed: the answer was not yes/)
  assert.deepEqual(await snapshot(project.updates), before)
  assert.match(answer('y').stdout, /Removed 2 files/)
  assert.match(answer('').stdout, /Nothing to remove/)
})
