import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { html } from '../../../fleet/report/html.ts'

describe('html', () => {
  test('escapes what is put into text and into attributes, and its own markup not again', () => {
    const inner = html`<b title="${'a"b'}">${'<&>'}</b>`
    assert.equal(String(html`<p>${inner}</p>`), '<p><b title="a&quot;b">&lt;&amp;&gt;</b></p>')
    assert.equal(String(html`<p title="${"it's"}"></p>`), `<p title="it&#39;s"></p>`)
  })

  test('shows what hides or turns text around as a replacement character', () => {
    for (const char of [
      '\0',
      '\u001b',
      '\u009b',
      '\u200b',
      '\u202e',
      '\u2066',
      '\u2028',
      '\ufeff',
      '\ud800',
      '\udc00',
    ]) {
      assert.equal(String(html`${`a${char}b`}`), 'a\ufffdb', JSON.stringify(char))
    }
    // The twins: what people write stays.
    for (const text of ['Zürich', '東京', '😀', 'עברית', 'a b\u00a0c']) assert.equal(String(html`${text}`), text)
  })

  test('takes lists, numbers and nothing', () => {
    assert.equal(String(html`${[1, [html`<i></i>`, 'x']]}${undefined}${false}${0}`), '1<i></i>x0')
  })
})
