import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { SERVICE_KINDS, serviceFile, type ServiceKind } from '../../agent/install/service-files.ts'
import { REPOSITORY } from '../helpers/moult.ts'

const place = { name: 'sensor', home: '/opt/sensor', args: [] }

/** All that is written for a kind, both ways. */
function textOf(kind: ServiceKind): string {
  const files = [serviceFile(kind, place), serviceFile(kind, { ...place, supervisor: ['moult', 'agent', 'run'] })]
  return files.flatMap(({ text, beside = {} }) => [text, ...Object.keys(beside)]).join('\n')
}

test('docs/supervisors.md names no setting that the files do not have, and some of each kind', () => {
  const page = readFileSync(join(REPOSITORY, 'docs', 'supervisors.md'), 'utf8')
  const [table = ''] = /^## What the files set[^]*?(?=^## )/m.exec(page) ?? []
  const rows = [...table.matchAll(/^\| (\w+) +\| `([^`]+)` +\|/gm)].map(([, kind = '', setting = '']) => ({
    kind,
    setting,
  }))
  assert.deepEqual([...new Set(rows.map(({ kind }) => kind))].sort(), [...SERVICE_KINDS].sort())
  for (const { kind, setting } of rows) {
    const known = SERVICE_KINDS.find((each) => each === kind)
    assert.ok(known !== undefined, kind)
    assert.ok(textOf(known).includes(setting), `${kind}: ${setting}`)
  }
})
