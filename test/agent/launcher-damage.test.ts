// What the launcher does when the files of a version are no longer those that were installed (catalogue 58, 69). Each case
// is given to the TypeScript twin as well, on a copy of the same home: they must run the same and write the same.

import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { homeAt } from '../../agent/home/home.ts'
import { prepareLaunch } from '../../agent/trial/launch.ts'
import {
  folderOf,
  installVersion,
  installWhole,
  launch,
  locate,
  newHome,
  type Outcome,
  pathOf,
  ranVersion,
  readRecord,
  type Shell,
  SHELLS,
  TOOLS,
  writeRecord,
} from './shell-launcher.ts'

const DAMAGED = /version (\S+) is damaged: its files are not those that were installed/g

/** What can happen to a file while it lies there, and to the list itself. */
const DAMAGES: Readonly<Record<string, (folder: string) => void>> = {
  'a byte of the program has changed': (folder) => fs.appendFileSync(join(folder, 'bin/agent'), '#'),
  'a file beside the program is cut off': (folder) => fs.truncateSync(join(folder, 'lib/-data+@x.1'), 3),
  'a file beside the program is gone': (folder) => fs.rmSync(join(folder, 'lib/-data+@x.1')),
  'the list is gone': (folder) => fs.rmSync(join(folder, '.sha256sums')),
  'the list is empty': (folder) => fs.truncateSync(join(folder, '.sha256sums')),
  'the list is a directory': (folder) => {
    fs.rmSync(join(folder, '.sha256sums'))
    fs.mkdirSync(join(folder, '.sha256sums'))
  },
  'the list has lost the line of the damaged file': (folder) => {
    const list = join(folder, '.sha256sums')
    fs.truncateSync(join(folder, 'lib/-data+@x.1'), 3)
    fs.writeFileSync(list, fs.readFileSync(list, 'utf8').split('\n').slice(0, 1).join('\n') + '\n')
  },
  // sha256sum passes over such a line with a warning.
  'a line of the list cannot be read': (folder) => {
    const list = join(folder, '.sha256sums')
    fs.truncateSync(join(folder, 'lib/-data+@x.1'), 3)
    fs.writeFileSync(list, fs.readFileSync(list, 'utf8').replace(/^.(.*lib)/m, 'g$1'))
  },
  'the receipt has lost the hash of the list': (folder) => {
    const receipt = join(folder, '.receipt')
    fs.writeFileSync(receipt, fs.readFileSync(receipt, 'utf8').replace(/^sums=.*\n/m, ''))
  },
}

/** 2.0.0 on trial, 1.0.0 before it, and 0.9.0, which was confirmed before that. */
function homeOnTrial(trial = 0): string {
  const home = newHome('home', [])
  for (const version of ['0.9.0', '1.0.0', '2.0.0']) installWhole(home, version)
  writeRecord(home, { version: '2.0.0', previous: '1.0.0', trial, tries: 3 })
  writeRecord(home, { version: '1.0.0', previous: '0.9.0' }, 'confirmed')
  return home
}

function damage(home: string, version: string): void {
  fs.appendFileSync(join(home, 'versions', version, 'bin/agent'), '#')
}

/** Both launchers, each on a home of its own. */
async function launchBoth(shell: Shell, home: string, path = shell.path): Promise<Outcome> {
  const copy = join(folderOf('twin'), 'home')
  fs.cpSync(home, copy, { recursive: true, preserveTimestamps: true })
  const warnings: string[] = []
  const twin = prepareLaunch(homeAt(copy), (message) => warnings.push(message))
  const outcome = await launch({ ...shell, path }, home)
  const about = `${outcome.stderr}\n${warnings.join('\n')}`
  assert.equal(ranVersion(outcome), twin.version, about)
  assert.equal(outcome.fact('trial'), String(twin.trial ?? 'unset'), about)
  assert.deepEqual(readRecord(home), readRecord(copy), about)
  const [said = [], warned = []] = [outcome.stderr, warnings.join('\n')].map((text) =>
    [...text.matchAll(DAMAGED)].map((match) => match[1]),
  )
  assert.deepEqual(said, warned)
  assert.equal(outcome.fact('damaged'), said.join(',') || 'unset')
  return outcome
}

for (const shell of SHELLS) {
  describe(`damaged files, under ${shell.name}`, { skip: shell.skip, concurrency: true }, () => {
    test('case 58: a version on trial runs at each start only while its files match', async () => {
      const home = homeOnTrial()
      for (const trial of ['1', '2']) {
        const outcome = await launchBoth(shell, home)
        assert.equal(ranVersion(outcome), '2.0.0')
        assert.equal(outcome.stderr, '')
        assert.equal(readRecord(home)?.['trial'], trial)
      }
      damage(home, '2.0.0')
      assert.equal(ranVersion(await launchBoth(shell, home)), '1.0.0')
      assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '2.0.0', reason: 'damaged' })
    })

    for (const [name, inflict] of Object.entries(DAMAGES)) {
      test(`case 58: ${name}: the version before comes back`, async () => {
        const home = homeOnTrial()
        inflict(join(home, 'versions/2.0.0'))
        assert.equal(ranVersion(await launchBoth(shell, home)), '1.0.0')
        assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '2.0.0', reason: 'damaged' })
      })
    }

    test('a version that is not on trial starts without being hashed', async () => {
      const home = homeOnTrial()
      damage(home, '2.0.0')
      writeRecord(home, { version: '2.0.0', previous: '1.0.0' })
      const outcome = await launchBoth(shell, home)
      assert.equal(ranVersion(outcome), '2.0.0')
      assert.equal(outcome.stderr, '')
    })

    test('case 69: a damaged previous version is passed over for the one that was confirmed before it', async () => {
      const home = homeOnTrial(3)
      damage(home, '1.0.0')
      const outcome = await launchBoth(shell, home)
      assert.equal(ranVersion(outcome), '0.9.0')
      assert.equal(outcome.fact('damaged'), '1.0.0')
      assert.deepEqual(readRecord(home), { version: '0.9.0', failed: '2.0.0', reason: 'tries' })
    })

    test('case 69: none goes back below the rollback floor of a release that has run', async () => {
      for (const [floor, runs] of [
        ['0.9.0', '0.9.0'],
        ['1.0.0-rc.1', '2.0.0'],
      ] as const) {
        const home = homeOnTrial(3)
        installWhole(home, '1.0.0', { lines: `rollback_floor=${floor}\n` })
        damage(home, '1.0.0')
        assert.equal(ranVersion(await launchBoth(shell, home)), runs, floor)
      }
    })

    test('case 69: without another that is whole the one on trial stays, and says so', async () => {
      const home = homeOnTrial(3)
      damage(home, '1.0.0')
      damage(home, '0.9.0')
      const before = readRecord(home)
      const outcome = await launchBoth(shell, home)
      assert.equal(ranVersion(outcome), '2.0.0')
      assert.equal(outcome.fact('trial'), '4')
      assert.equal(outcome.fact('damaged'), '1.0.0,0.9.0')
      assert.match(outcome.stderr, /version 2\.0\.0 has used up its tries and goes on, as there is none to go back to/)
      assert.deepEqual(readRecord(home), before)
    })

    test('a try that cannot be counted is not made up for by a damaged version', async () => {
      const home = homeOnTrial()
      fs.mkdirSync(join(home, 'current.new/in the way'), { recursive: true })
      damage(home, '1.0.0')
      assert.equal(ranVersion(await launchBoth(shell, home)), '0.9.0')
      damage(home, '0.9.0')
      const outcome = await launchBoth(shell, home)
      assert.equal(ranVersion(outcome), '2.0.0')
      assert.equal(outcome.fact('trial'), '1')
    })

    test('a fallback passes over what is damaged', async () => {
      const home = homeOnTrial()
      fs.rmSync(join(home, 'versions/2.0.0'), { recursive: true })
      writeRecord(home, { version: '2.0.0', previous: '1.0.0' })
      installWhole(home, '0.8.0')
      fs.utimesSync(join(home, 'versions/0.8.0/.receipt'), 2e9, 2e9)
      damage(home, '1.0.0')
      assert.equal(ranVersion(await launchBoth(shell, home)), '0.8.0')
      damage(home, '0.8.0')
      assert.equal(ranVersion(await launchBoth(shell, home)), '0.9.0')
      assert.deepEqual(readRecord(home), { version: '2.0.0', previous: '1.0.0' })
    })

    test('with nothing whole a damaged version runs, first of all one that was confirmed, and is named aloud', async () => {
      const home = homeOnTrial()
      for (const version of ['0.9.0', '1.0.0', '2.0.0']) damage(home, version)
      const outcome = await launchBoth(shell, home)
      assert.equal(ranVersion(outcome), '1.0.0')
      assert.equal(outcome.fact('damaged'), '2.0.0,1.0.0,0.9.0')
      assert.deepEqual(readRecord(home), { version: '1.0.0', failed: '2.0.0', reason: 'damaged' })
      fs.rmSync(join(home, 'versions/1.0.0'), { recursive: true })
      fs.rmSync(join(home, 'versions/0.9.0'), { recursive: true })
      fs.rmSync(join(home, 'confirmed'))
      writeRecord(home, { version: '2.0.0', trial: 0 })
      assert.equal(ranVersion(await launchBoth(shell, home)), '2.0.0')
    })

    test('a version that was installed without a list counts as whole', async () => {
      const home = homeOnTrial()
      installVersion(home, '3.0.0')
      writeRecord(home, { version: '3.0.0', previous: '1.0.0', trial: 0 })
      assert.equal((await launch(shell, home)).fact('trial'), '1')
    })

    test('the check is made with shasum where there is no sha256sum, and left out where there is neither', async (t) => {
      // Without a name of its own busybox finds its sha256sum on no path.
      if (shell.busybox !== undefined) return t.skip('some builds of busybox have their own sha256sum on any path')
      const home = homeOnTrial()
      damage(home, '2.0.0')
      const unchecked = await launch({ ...shell, path: pathOf(TOOLS) }, home)
      assert.equal(ranVersion(unchecked), '2.0.0')
      assert.equal(unchecked.stderr, '')
      if (locate('shasum') === undefined) return t.skip('no shasum here')
      assert.equal(ranVersion(await launch({ ...shell, path: pathOf([...TOOLS, 'shasum', 'perl']) }, home)), '1.0.0')
    })
  })
}
