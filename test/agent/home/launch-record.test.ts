import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { disk } from '../../../agent/home/disk.ts'
import { homeAt } from '../../../agent/home/home.ts'
import {
  formatLaunchRecord,
  installedRecord,
  type LaunchRecord,
  readLaunchRecord,
  writeLaunchRecord,
} from '../../../agent/home/launch-record.ts'
import { makeDir } from '../field.ts'

const RECORDS: readonly LaunchRecord[] = [
  { version: '1.0.0' },
  { version: '1.0.1-rc.1+build.5', previous: '1.0.0' },
  { version: '1.0.1', previous: '1.0.0', trial: { started: 2, tries: 3 } },
  { version: '1.0.1', trial: { started: 0, tries: 100 } },
  { version: '1.0.0', failed: { version: '1.0.1', reason: 'tries' } },
  { version: '1.0.0', previous: '0.9.0', failed: { version: '1.0.1', reason: 'a b=c' } },
]

describe('the launch record', () => {
  test('comes back as it was written', (t) => {
    const path = join(makeDir(t), 'current')
    for (const record of RECORDS) {
      writeLaunchRecord(disk, path, record)
      assert.deepEqual(readLaunchRecord(path), record)
      assert.equal(fs.statSync(path).mode & 0o777, 0o644)
    }
  })

  test('is damaged when it is cut off anywhere, or goes on behind its end', (t) => {
    const path = join(makeDir(t), 'current')
    for (const record of RECORDS) {
      const text = formatLaunchRecord(record)
      const damaged = [
        ...Array.from({ length: text.length }, (_, length) => text.slice(0, length)),
        `${text}x`,
        `${text}end\n`,
        `${text}\n`,
      ]
      for (const one of damaged) {
        fs.writeFileSync(path, one)
        assert.equal(readLaunchRecord(path), undefined, JSON.stringify(one))
      }
    }
    fs.rmSync(path)
    assert.equal(readLaunchRecord(path), undefined)
    fs.mkdirSync(path)
    assert.equal(readLaunchRecord(path), undefined)
  })

  test('is damaged without a version that can be a directory name', (t) => {
    const path = join(makeDir(t), 'current')
    for (const version of [
      '',
      '.',
      '..',
      '../1.0.0',
      '1.0.0/..',
      '1.0',
      'v1.0.0',
      '1.0.0 ',
      '1.0.0\0',
      `1.0.0-${'x'.repeat(130)}`,
    ]) {
      fs.writeFileSync(path, `version=${version}\nend\n`)
      assert.equal(readLaunchRecord(path), undefined, version)
    }
  })

  test('leaves out what cannot be believed, and counts tries from 0 when their number is none', (t) => {
    const path = join(makeDir(t), 'current')
    fs.writeFileSync(path, 'version=1.0.1\nprevious=../x\ntrial=08\ntries=many\nfailed=..\nunknown=1\nrubbish\nend\n')
    assert.deepEqual(readLaunchRecord(path), { version: '1.0.1', trial: { started: 0, tries: 3 } })
    fs.writeFileSync(path, 'version=1.0.1\nprevious=1.0.1\nend\n')
    assert.deepEqual(readLaunchRecord(path), { version: '1.0.1' })
  })

  test('cannot be given another line by a reason', (t) => {
    const path = join(makeDir(t), 'current')
    writeLaunchRecord(disk, path, { version: '1.0.0', failed: { version: '1.0.1', reason: 'x\nversion=6.6.6\nend\n' } })
    assert.equal(readLaunchRecord(path)?.version, '1.0.0')
  })

  test('is replaced by the confirmed one while it is damaged', (t) => {
    const home = homeAt(makeDir(t))
    assert.equal(installedRecord(home), undefined)
    writeLaunchRecord(home.disk, home.confirmed, { version: '1.0.0' })
    fs.writeFileSync(home.current, 'version=1.0.1\n')
    assert.equal(installedRecord(home)?.version, '1.0.0')
  })
})
