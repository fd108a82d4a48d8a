import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import type { Home } from '../../../agent/home/home.ts'
import { writeLaunchRecord } from '../../../agent/home/launch-record.ts'
import { readReceipt } from '../../../agent/home/receipt.ts'
import { settle } from '../../../agent/trial/settle.ts'
import { loadState, quarantinedAt } from '../../../agent/home/state.ts'
import { isIntact } from '../../../agent/home/sums.ts'
import { Updater } from '../../../agent/updater.ts'
import { sha256 } from '../../../manifests/index.ts'
import { adopt, BOUNDED, makeDir, makeMachine, NOW, program, publish, startHost, waitFor } from '../field.ts'

const TOOLS = [['sha256sum'], ['shasum', '-a', '256'], ['busybox', 'sha256sum']].filter(
  ([tool = '']) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', tool]).status === 0,
)
/** All characters that a name may have, and the names that a tool could take for something else. */
const NAMES = ['-', '--', '-c', 'agent', 'lib/@_+.-', 'lib/ABCxyz0189', 'lib/-/-', 'a/.hidden']

/** A machine that has just installed a tree with all those names. */
async function machineWithTree(t: Parameters<typeof startHost>[0]) {
  const host = await startHost(t)
  const tree = makeDir(t)
  for (const name of NAMES) {
    fs.mkdirSync(join(tree, name, '..'), { recursive: true })
    fs.writeFileSync(join(tree, name), name === 'agent' ? program('1.0.1') : `content of ${name}`, { mode: 0o755 })
  }
  const list = NAMES.map((name) => `./${name}`)
  const args = ['-c', '--format=ustar', '--transform=s,^\\./,,', '-C', tree, '--', ...list]
  publish(host, { version: '1.0.1', artifact: execFileSync('tar', args), binary: { unpack: 'tar', entry: 'agent' } })
  const machine = await makeMachine(t, host)
  await machine.poll()
  return { ...machine, directory: join(machine.home.versions, '1.0.1') }
}

function receiptOf(home: Home, version: string) {
  return readReceipt(home, version) ?? assert.fail('no receipt')
}

describe('the list of hashes', { ...BOUNDED, concurrency: true }, () => {
  test('has every file of a tree, and the tools of any system read it without an escape', async (t) => {
    const { home, directory } = await machineWithTree(t)
    const list = fs.readFileSync(join(directory, '.sha256sums'), 'utf8')
    const listed = list
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(68))
    assert.deepEqual(listed.toSorted(), NAMES.toSorted())
    assert.equal(receiptOf(home, '1.0.1').sums, sha256(Buffer.from(list)))
    assert.ok(isIntact(home, '1.0.1'))
    assert.ok(TOOLS.length > 0, 'no tool here')
    for (const [tool = '', ...args] of TOOLS) {
      const check = () => spawnSync(tool, [...args, '-c', '.sha256sums'], { cwd: directory, encoding: 'utf8' })
      const { status, stdout, stderr } = check()
      assert.equal(status, 0, stderr)
      assert.equal(stdout.match(/: OK$/gm)?.length, NAMES.length, tool)
    }
    for (const name of NAMES) {
      const path = join(directory, name)
      const before = fs.readFileSync(path)
      fs.writeFileSync(path, 'x')
      assert.equal(isIntact(home, '1.0.1'), false, name)
      for (const [tool = '', ...args] of TOOLS)
        assert.notEqual(
          spawnSync(tool, [...args, '-c', '.sha256sums'], { cwd: directory }).status,
          0,
          `${tool} ${name}`,
        )
      fs.writeFileSync(path, before)
    }
    assert.ok(isIntact(home, '1.0.1'))
  })

  test('is made for a single file and for an adopted program from the bytes that were verified', async (t) => {
    const host = await startHost(t)
    publish(host, { version: '1.0.1' })
    const { home, poll } = await makeMachine(t, host)
    await poll()
    for (const version of ['1.0.0', '1.0.1']) {
      const line = `${receiptOf(home, version).sha256}  ./heartbeat-agent\n`
      assert.equal(fs.readFileSync(join(home.versions, version, '.sha256sums'), 'utf8'), line)
      assert.ok(isIntact(home, version))
    }
  })

  test('is believed only with the hash in the receipt; a version of old has neither, and counts as intact', async (t) => {
    const { home, directory } = await machineWithTree(t)
    const [list, receipt] = [join(directory, '.sha256sums'), join(directory, '.receipt')]
    const [listText, receiptText] = [fs.readFileSync(list, 'utf8'), fs.readFileSync(receipt, 'utf8')]
    const isIntactWith = (listNow: string | undefined, receiptNow: string): boolean => {
      fs.rmSync(list, { force: true })
      if (listNow !== undefined) fs.writeFileSync(list, listNow)
      fs.writeFileSync(receipt, receiptNow)
      return isIntact(home, '1.0.1')
    }
    assert.equal(isIntactWith(listText, receiptText), true)
    assert.equal(isIntactWith(listText.split('\n').slice(1).join('\n'), receiptText), false)
    assert.equal(isIntactWith('', receiptText), false)
    assert.equal(isIntactWith(undefined, receiptText), false)
    assert.equal(isIntactWith(listText, receiptText.replace(/sums=.*\n/, '')), false)
    assert.equal(isIntactWith(undefined, receiptText.replace(/sums=.*\n/, '')), true)
    // Even with its own hash, a list that cannot be read proves nothing.
    for (const odd of ['', '\n', listText.trimEnd(), listText.replace('  ./', ' *./'), `${listText}x\n`]) {
      const sums = `sums=${sha256(Buffer.from(odd))}\n`
      assert.equal(isIntactWith(odd, receiptText.replace(/sums=.*\n/, sums)), false, odd)
    }
  })
})

describe('a version that the launcher has found damaged', { ...BOUNDED, concurrency: true }, () => {
  test('is rolled back from for a day only: its bytes may have rotted on this disk alone', async (t) => {
    const host = await startHost(t)
    const { home, settings, deps, events } = await makeMachine(t, host)
    await adopt(home, '1.0.1')
    const { sha256: artifact } = receiptOf(home, '1.0.1')
    const failed = { version: '1.0.1', reason: 'damaged' }
    writeLaunchRecord(home.disk, home.current, { version: '1.0.0', failed })
    await settle(settings, deps)
    assert.ok(events.some((event) => event.kind === 'rolled-back' && event.reason === 'damaged'))
    const state = loadState(home, settings.root, assert.fail)
    assert.ok(quarantinedAt(state, NOW).has(artifact))
    assert.equal(quarantinedAt(state, NOW + 25 * 3_600_000).has(artifact), false)
  })

  test('becomes a warning of the updater', async (t) => {
    const host = await startHost(t)
    const { home } = await makeMachine(t, host)
    const warnings: string[] = []
    const updater = new Updater({
      version: '1.0.0',
      home: home.path,
      settings: { server: host.url },
      env: { MOULT_DAMAGED: '0.9.0,0.8.0' },
      onEvent: (event) => event.kind === 'warning' && warnings.push(event.message),
    })
    t.after(() => updater.stop())
    updater.start()
    await waitFor(() => warnings.length >= 2, 'the warnings')
    assert.deepEqual(warnings.slice(0, 2), [
      'version 0.9.0 is damaged: its files are not those that were installed',
      'version 0.8.0 is damaged: its files are not those that were installed',
    ])
  })
})
