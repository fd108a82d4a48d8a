import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type StagedProject, stageProject } from '../helpers/stage-project.ts'

const SOURCES = {
  'manifests/greeting.ts': `export const GREETING = 'hello'\n`,
  'cli/main.ts': `#!/usr/bin/env node\nimport { GREETING } from '../manifests/greeting.ts'\n\nconsole.log(GREETING)\n`,
  'agent/launcher/launch.sh': '#!/bin/sh\necho launched\n',
}

describe('the build', () => {
  let project: StagedProject
  beforeEach(() => {
    project = stageProject(SOURCES)
  })
  afterEach(() => project.remove())

  const distNames = (): string[] => readdirSync(project.root).filter((name) => name.startsWith('dist'))

  test('makes a command that runs, and puts shell files beside the compiled ones', async () => {
    const { status, stderr } = await project.run('build.ts')
    assert.equal(status, 0, stderr)
    assert.equal(execFileSync(join(project.root, 'dist/cli/main.js'), { encoding: 'utf8' }), 'hello\n')
    const launcher = join(project.root, 'dist/agent/launcher/launch.sh')
    assert.equal(readFileSync(launcher, 'utf8'), SOURCES['agent/launcher/launch.sh'])
    assert.equal(statSync(launcher).mode & 0o111, 0o111)
    assert.deepEqual(distNames(), ['dist'])
  })

  test('drops what no source makes any more', async () => {
    project.write('dist/manifests/gone.js', '')
    assert.equal((await project.run('build.ts')).status, 0)
    assert.deepEqual(readdirSync(join(project.root, 'dist/manifests')), ['greeting.d.ts', 'greeting.js'])
  })

  test('leaves dist alone when nothing has changed, as commands may run from it', async () => {
    assert.equal((await project.run('build.ts')).status, 0)
    const before = statSync(join(project.root, 'dist')).ino
    const { stdout } = await project.run('build.ts')
    assert.match(stdout, /unchanged/)
    assert.equal(statSync(join(project.root, 'dist')).ino, before)
    assert.deepEqual(distNames(), ['dist'])

    project.write('manifests/greeting.ts', `export const GREETING = 'good day'\n`)
    assert.equal((await project.run('build.ts')).status, 0)
    assert.equal(execFileSync(join(project.root, 'dist/cli/main.js'), { encoding: 'utf8' }), 'good day\n')
  })

  test('fails on a type error and leaves the old dist as it was', async () => {
    project.write('dist/cli/main.js', 'old')
    project.write('manifests/greeting.ts', `export const GREETING: number = 'hello'\n`)
    const { status, stdout } = await project.run('build.ts')
    assert.equal(status, 1)
    assert.match(stdout, /greeting\.ts\(1,14\): error TS2322/)
    assert.equal(readFileSync(join(project.root, 'dist/cli/main.js'), 'utf8'), 'old')
    assert.deepEqual(distNames(), ['dist'])
  })

  test('succeeds next to other builds of the same folder', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => project.run('build.ts')))
    assert.deepEqual(
      runs.map(({ status }) => status),
      [0, 0, 0],
      runs.map(({ stderr }) => stderr).join(''),
    )
    assert.equal(execFileSync(join(project.root, 'dist/cli/main.js'), { encoding: 'utf8' }), 'hello\n')
    assert.deepEqual(distNames(), ['dist'])
  })

  test('removes what a killed build left behind', async () => {
    // Above the largest process id of Linux, so that no such process lives.
    mkdirSync(join(project.root, 'dist.new-4194305'))
    mkdirSync(join(project.root, 'dist.old-4194305-1'))
    assert.equal((await project.run('build.ts')).status, 0)
    assert.deepEqual(distNames(), ['dist'])
  })
})
