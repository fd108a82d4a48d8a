// A strict reader of the text format of Prometheus 0.0.4, for tests: what it does not know it refuses.

import assert from 'node:assert/strict'

export interface PrometheusSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const SAMPLE = new RegExp(`^(${NAME})\\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*",?)*)\\} ([0-9.]+)$`)
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,?)/g
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' }

/** Each block is HELP, TYPE, then samples of that name, none twice. @throws AssertionError */
export function readPrometheus(text: string): PrometheusSample[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line has no line feed')
  const samples: PrometheusSample[] = []
  const seen = new Set<string>()
  let help = ''
  let typed = ''
  for (const line of text.split('\n').slice(0, -1)) {
    const [, helped] = new RegExp(`^# HELP (${NAME}) \\S.*\\.$`).exec(line) ?? []
    const [, ofType, type] = new RegExp(`^# TYPE (${NAME}) (gauge|counter)$`).exec(line) ?? []
    if (helped !== undefined) {
      assert.ok(!seen.has(helped), `two blocks of ${helped}`)
      seen.add(helped)
      help = helped
    } else if (ofType !== undefined) {
      assert.equal(ofType, help, 'TYPE follows the HELP of its metric')
      assert.equal(type === 'counter', ofType.endsWith('_total'), `${ofType} is no ${type}`)
      typed = ofType
    } else {
      const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(`not a sample: ${line}`)
      assert.equal(name, typed, 'a sample follows the TYPE of its metric')
      assert.ok(!seen.has(`${name}{${labels}}`), `twice: ${line}`)
      seen.add(`${name}{${labels}}`)
      const pairs = [...labels.matchAll(LABEL)].map(([, label = '', quoted = '']) => {
        return [label, quoted.replace(/\\./g, (escape) => ESCAPES[escape] ?? assert.fail(escape))] as const
      })
      samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value) })
    }
  }
  return samples
}
