import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt, prepareHome } from '../../../agent/home/home.ts'
import { writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { formatReceipt } from '../../../agent/home/receipt.ts'
import { cleanHome } from '../../../agent/home/retention.ts'
import { makeDir } from '../field.ts'

const NOW = Date.UTC(2026, 10, 22)
const DAY_MS = 86_400_000

/** A home with versions of these ages in days. */
function makeHome(t: TestContext, ages: Record<string, number>): Home {
  const home = homeAt(makeDir(t))
  prepareHome(home)
  for (const [version, age] of Object.entries(ages)) {
    const directory = join(home.versions, version)
    fs.mkdirSync(directory)
    fs.writeFileSync(
      join(directory, '.receipt'),
      formatReceipt({ version, sha256: 'a'.repeat(64), size: 1, entry: 'agent' }),
    )
    fs.utimesSync(directory, (NOW - age * DAY_MS) / 1000, (NOW - age * DAY_MS) / 1000)
  }
  return home
}

const kept = (home: Home): string[] => fs.readdirSync(home.versions).toSorted()

describe('retention', () => {
  test('keeps the newest versions and the young ones, and those that a record names', async (t) => {
    const home = makeHome(t, {
      '1.0.0': 90,
      '1.0.1': 80,
      '1.0.2': 70,
      '1.0.3': 60,
      '1.0.4': 50,
      '1.0.5': 40,
      '1.0.6': 3,
    })
    writeLaunchRecord(home.disk, home.current, { version: '1.0.6', previous: '1.0.1' })
    writeLaunchRecord(home.disk, home.confirmed, { version: '1.0.0' })
    await cleanHome(home, { versions: 3, days: 7 }, NOW)
    assert.deepEqual(kept(home), ['1.0.0', '1.0.1', '1.0.4', '1.0.5', '1.0.6'])
    await cleanHome(home, { versions: 2, days: 100 }, NOW)
    assert.deepEqual(kept(home), ['1.0.0', '1.0.1', '1.0.4', '1.0.5', '1.0.6'])
  })

  test('is bounded however often a fleet is updated in a day', async (t) => {
    const home = makeHome(
      t,
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`1.0.${index}`, (100 - index) / 1000])),
    )
    writeLaunchRecord(home.disk, home.current, { version: '1.0.99', previous: '1.0.98' })
    await cleanHome(home, { versions: 3, days: 7 }, NOW)
    assert.equal(kept(home).length, 10)
  })

  test('removes the version that failed, what was never whole, and the rests in staging', async (t) => {
    const home = makeHome(t, { '1.0.0': 1, '1.0.1': 0, '1.0.2': 0 })
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0' })
    fs.rmSync(join(home.versions, '1.0.2/.receipt'))
    fs.mkdirSync(join(home.versions, 'rubbish'))
    fs.symlinkSync('/etc', join(home.versions, 'link'))
    for (const name of ['1.0.3.staged', 'x.unverified', 'young.partial', 'old.partial'])
      fs.writeFileSync(join(home.staging, name), '')
    fs.utimesSync(join(home.staging, 'young.partial'), NOW / 1000, NOW / 1000)
    fs.utimesSync(join(home.staging, 'old.partial'), (NOW - 8 * DAY_MS) / 1000, (NOW - 8 * DAY_MS) / 1000)
    await cleanHome(home, { versions: 3, days: 7, failed: '1.0.1' }, NOW)
    assert.deepEqual(kept(home), ['1.0.0'])
    assert.deepEqual(fs.readdirSync(home.staging), ['young.partial'])
    assert.ok(fs.existsSync('/etc/passwd'))
  })
})
