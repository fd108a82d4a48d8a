import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { readFleet } from '../../../release/index.ts'
import { failsWith } from '../project-fixture.ts'

describe('a list of agents', () => {
  test('has an agent on a line, in words or as JSON, and comments', () => {
    const text = [
      '\u{feff}# the fleet of November',
      'web-1',
      '',
      '  web-2   platform=linux-arm64  version=1.4.1 label.ring=canary label.site=berlin  ',
      'web-3 version=none\r',
      '{"id": "höst 名前", "platform": "linux-amd64", "version": "1.4.1+7", "labels": {"ring": "beta"}}',
      '{"id": "web#5", "version": null}',
      'label.ring',
    ].join('\n')
    assert.deepEqual(readFleet(text, 'fleet.txt'), [
      { id: 'web-1' },
      { id: 'web-2', platform: 'linux-arm64', version: '1.4.1', labels: { ring: 'canary', site: 'berlin' } },
      { id: 'web-3', version: null },
      { id: 'höst 名前', platform: 'linux-amd64', version: '1.4.1+7', labels: { ring: 'beta' } },
      { id: 'web#5', version: null },
      { id: 'label.ring' },
    ])
    assert.deepEqual(readFleet('', 'fleet.txt'), [])
  })

  test('is refused at the line that cannot be read', () => {
    const wrong = [
      'web-1 linux-amd64',
      'web-1 version=1.4',
      'web-1 version=v1.4.1',
      'web-1 version=1.4.1 version=1.4.2',
      'web-1 platform=linux',
      'web-1 label.Ring=canary',
      'web-1 label.ring=',
      'web-1 label.ring=a label.ring=b',
      'web-1 ring=canary',
      'x'.repeat(129),
      '{"id": "web-1", "ring": "canary"}',
      '{"id": "web-1", "id": "web-2"}',
      '{"platform": "linux-amd64"}',
      '{"id": "web-1"',
      '{"id": 1}',
      '{"id": "web-1", "version": 1}',
    ]
    for (const line of wrong) {
      const at = (): unknown => readFleet(`web-0\n# here\n${line}\nweb-2\n`, 'fleet.txt')
      assert.throws(at, failsWith('ERR_USAGE_INVALID', /^fleet\.txt:3: /), line)
    }
  })
})
