import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { preflight } from '../../../agent/stage/preflight.ts'
import { BOUNDED, failureOf, makeDir } from '../field.ts'

function script(t: TestContext, text: string): string {
  const path = join(makeDir(t), 'agent')
  fs.writeFileSync(path, text, { mode: 0o755 })
  return path
}

describe('the preflight', BOUNDED, () => {
  test('passes a program that answers with status 0, and asks nothing without arguments', async (t) => {
    await preflight(script(t, '#!/bin/sh\n[ "$1$MOULT_PREFLIGHT" = --version1 ]\n'), ['--version'])
    await preflight('/nowhere', [])
  })

  test('tells a program that does not end from one that fails and one that cannot be executed', async (t) => {
    const cases: [string, number | undefined, RegExp][] = [
      ['#!/bin/sh\nexec sleep 60\n', 200, /: --version did not end within 0\.2 s$/],
      ['#!/bin/sh\nexit 3\n', undefined, /: --version ended with exit status 3$/],
      ['#!/bin/sh\nkill -SEGV $$\n', undefined, /: --version ended with SIGSEGV$/],
      ['#!/no/such/interpreter\n', undefined, /: it cannot be executed: .*ENOENT$/],
    ]
    for (const [text, limitMs, says] of cases) {
      const error = await failureOf(() => preflight(script(t, text), ['--version'], undefined, limitMs))
      assert.equal(error.code, 'ERR_STAGE_PREFLIGHT')
      assert.match(error.message, says)
      assert.match(error.hint ?? '', /"preflight" in <home>\/agent\.json/)
    }
  })

  test('ends when it is told to stop', async (t) => {
    const stop = new AbortController()
    const running = preflight(script(t, '#!/bin/sh\nexec sleep 60\n'), ['--version'], stop.signal)
    stop.abort()
    await assert.rejects(running, { name: 'AbortError' })
  })
})
