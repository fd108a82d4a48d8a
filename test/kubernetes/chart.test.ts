import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { go, hasGo } from '../helpers/go-program.ts'
import { loadAllYaml, loadYaml } from '@kubernetes/client-node'

interface Values {
  readonly selfUpdating: Readonly<Record<string, unknown>>
  readonly imageSync: Readonly<Record<string, unknown>>
}

const EXAMPLES = fileURLToPath(new URL('../../examples/kubernetes/', import.meta.url))
const TEMPLATES = join(EXAMPLES, 'chart/templates')
const SOURCES = fileURLToPath(new URL('render-chart/', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'moult-chart-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const program = join(scratch, 'render-chart')
const isCi = process.env['CI'] !== undefined
const skip = hasGo || isCi ? false : 'go is not installed: the chart was NOT rendered'

const defaults = loadYaml<Values>(readFileSync(join(EXAMPLES, 'chart/values.yaml'), 'utf8'))

function render(name: string, values: Values): string {
  const input = JSON.stringify(values)
  const { status, stdout, stderr } = spawnSync(program, [join(TEMPLATES, name)], { input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

/** Every member as it is written: of an object whose kind it knows, the client drops what it does not know. */
function objectsOf(text: string): unknown[] {
  return loadAllYaml(text.replaceAll(/^apiVersion:/gm, 'version:'))
}

describe('the chart', { skip }, () => {
  before(() => {
    assert.ok(hasGo, 'go is not installed')
    go(SOURCES, scratch, ['build', '-o', program, '.'])
  })

  test('has a template for each plain manifest, and no other', () => {
    const plain = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'))
    assert.deepEqual(readdirSync(TEMPLATES).toSorted(), plain.toSorted())
  })

  for (const [name, count] of [
    ['self-updating.yaml', 1],
    ['image-sync.yaml', 6],
  ] as const) {
    test(`with its own values is ${name}`, () => {
      const objects = objectsOf(render(name, defaults))
      assert.equal(objects.length, count)
      assert.deepEqual(objects, objectsOf(readFileSync(join(EXAMPLES, name), 'utf8')))
    })
  }

  test('leaves out the part that is switched off, and only that', () => {
    const noPod = { ...defaults, selfUpdating: { ...defaults.selfUpdating, enabled: false } }
    assert.equal(render('self-updating.yaml', noPod).trim(), '')
    assert.equal(render('image-sync.yaml', noPod), render('image-sync.yaml', defaults))
    const noSync = { ...defaults, imageSync: { ...defaults.imageSync, enabled: false } }
    assert.equal(render('image-sync.yaml', noSync).trim(), '')
    assert.equal(render('self-updating.yaml', noSync), render('self-updating.yaml', defaults))
  })

  test('gives the sync rights on the workloads that it is told to change, and on no others', () => {
    const workloads = [
      { kind: 'deployment', name: 'api' },
      { kind: 'daemonset', name: 'probe' },
    ]
    const values = { ...defaults, imageSync: { ...defaults.imageSync, workloads, container: '' } }
    const text = render('image-sync.yaml', values)
    const role = objectsOf(text).find((object) => (object as { kind: string }).kind === 'Role')
    const verbs = ['get', 'patch']
    assert.deepEqual((role as { rules: unknown }).rules, [
      { apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['api'], verbs },
      { apiGroups: ['apps'], resources: ['daemonsets'], resourceNames: ['probe'], verbs },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['moult-sync'], verbs },
    ])
    assert.match(text, /"--workload=deployment\/api"\n +- "--workload=daemonset\/probe"\n +- "--state=moult-sync"/)
  })
})
