import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type StagedProject, stageProject } from '../helpers/stage-project.ts'

const SOURCES = {
  'cli/main.ts': `#!/usr/bin/env node\nconsole.log('hello')\n`,
  'test/swift.test.ts': testFile('is swift', `process.emitWarning('mind the gap', 'ExperimentalWarning')`),
  'test/deep/other.test.ts': testFile('is deep', ''),
  'test/long.slow.test.ts': testFile('is slow', ''),
  'test/fixtures/broken.test.ts': testFile('is a fixture', `throw new Error('must not run')`),
}

describe('the test runner', () => {
  let project: StagedProject
  beforeEach(() => {
    project = stageProject(SOURCES)
  })
  afterEach(() => project.remove())

  test('runs the static checks, then every file that is not slow, and ends with the summary', async () => {
    const { status, stdout, stderr } = await project.run('run-tests.ts')
    assert.equal(status, 0, stdout + stderr)
    for (const stage of ['typecheck', 'lint', 'format check', 'build', 'tests']) {
      assert.match(stdout, new RegExp(`^# ${stage} ok in \\d+\\.\\d s$`, 'm'))
    }
    assert.match(stdout, /✔ is swift/)
    assert.match(stdout, /✔ is deep/)
    assert.doesNotMatch(stdout, /is slow|is a fixture/)
    assert.match(stdout, /\nℹ tests 2\n(?:ℹ .+\n)+$/)
    assert.ok(existsSync(join(project.root, 'dist/cli/main.js')))
  })

  test('does not start the tests when a static check fails, and says which', async () => {
    project.write('cli/main.ts', `#!/usr/bin/env node\nPromise.resolve(1)\n`)
    const { status, stdout, stderr } = await project.run('run-tests.ts')
    assert.equal(status, 1)
    assert.match(stdout, /# lint FAILED/)
    assert.match(stdout, /# build ok/)
    assert.match(stderr, /not tested, because of: lint\n/)
    assert.doesNotMatch(stdout, /is swift/)
  })

  test('runs only the files that the arguments name, without the static checks', async () => {
    const { status, stdout } = await project.run('run-tests.ts', 'deep')
    assert.equal(status, 0)
    assert.match(stdout, /✔ is deep/)
    assert.doesNotMatch(stdout, /typecheck|is swift/)
  })

  test('runs the slow files when asked to', async () => {
    const { status, stdout } = await project.run('run-tests.ts', '--slow-only')
    assert.equal(status, 0)
    assert.match(stdout, /✔ is slow/)
    assert.doesNotMatch(stdout, /typecheck|is swift/)
    assert.match((await project.run('run-tests.ts', '--slow', 'test')).stdout, /ℹ tests 3\n/)
    assert.match((await project.run('run-tests.ts', 'long.slow')).stdout, /✔ is slow/)
  })

  test('notes a Node warning of a test process', async () => {
    const { stdout } = await project.run('run-tests.ts', 'swift')
    assert.match(stdout, /^# Node warning \(1x\): ExperimentalWarning: mind the gap$/m)
  })

  test('fails when a test fails and when nothing matches', async () => {
    project.write('test/bad.test.ts', testFile('is bad', `throw new Error('on purpose')`))
    assert.equal((await project.run('run-tests.ts', 'bad')).status, 1)
    const nothing = await project.run('run-tests.ts', 'nowhere')
    assert.equal(nothing.status, 1)
    assert.match(nothing.stderr, /no test file matches: nowhere/)
  })
})

function testFile(name: string, body: string): string {
  const call = body === '' ? `test('${name}', () => {})` : `test('${name}', () => {\n  ${body}\n})`
  return `import { test } from 'node:test'\n\n${call}\n`
}
