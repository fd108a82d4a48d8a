import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'

import { showProgress } from '../../cli/progress.ts'

function screen(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream
  return { stream, text: () => String((stream as unknown as PassThrough).read() ?? '') }
}
const event = (doneBytes: number) =>
  ({ kind: 'progress', step: 'publish', subject: 'bin/1.0.0/a', doneBytes, totalBytes: 200 }) as const

test('an upload is a bar on a terminal, one line that is drawn anew', () => {
  const { stream, text } = screen(true)
  const { on, end } = showProgress(stream)
  on({ kind: 'step', step: 'publish', state: 'started', subject: 'bin/1.0.0/a' })
  text()
  on(event(51))
  assert.match(text(), /^\u001B\[1A\u001B\[J {2}publish +\[#####\.{15}\] {2}25 %, bin\/1\.0\.0\/a\n$/)
  on(event(200))
  assert.match(text(), /\[#{20}\] 100 %/)
  end()
})

test('where nobody watches, nothing is drawn', () => {
  const { stream, text } = screen(false)
  showProgress(stream).on(event(50))
  assert.equal(text(), '')
})
