import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { GB, monthOf, TB, TRANSFER_TIERS, transferUsd } from '../../scripts/fleet-cost-model.ts'

describe('docs/cost.md', () => {
  test('has the figures that its script computes', () => {
    const script = fileURLToPath(new URL('../../scripts/fleet-cost.ts', import.meta.url))
    const args = ['--import', import.meta.resolve('tsx'), script, '--check']
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })

  test('computes a month as by hand', () => {
    // A million agents: 288 polls a day for 30 days, four updates each.
    const { polls, pollBytes, downloadBytes, logBytes, cloudFrontUsd, s3Usd } = monthOf({ agents: 1_000_000 })
    assert.equal(polls, 8_640_000_000)
    assert.equal(pollBytes, polls * (239 + 1330) + 4_000_000 * 4000)
    assert.equal(downloadBytes, 4_000_000 * (324_679 + 1330))
    assert.equal(logBytes, 8_644_000_000 * 77.5)
    const sentGb = (pollBytes + downloadBytes) / 2 ** 30
    const logUsd = (logBytes / 2 ** 30) * 0.023
    const transfer = 10_240 * 0.085 + (sentGb - 1024 - 10_240) * 0.08
    near(cloudFrontUsd, (8_644_000_000 - 10_000_000) / 1e6 + transfer + 13 * 43_200 * 4e-7 + logUsd)
    near(s3Usd, 8_644_000_000 * 4e-7 + 10_240 * 0.09 + (sentGb - 100 - 10_240) * 0.085 + logUsd)
  })

  test('charges each step at its own price', () => {
    assert.equal(transferUsd(-1, TRANSFER_TIERS), 0)
    near(transferUsd(GB, TRANSFER_TIERS), 0.085)
    near(transferUsd(10 * TB + GB, TRANSFER_TIERS), 10_240 * 0.085 + 0.08)
    near(transferUsd(6000 * TB, TRANSFER_TIERS) - transferUsd(5999 * TB, TRANSFER_TIERS), 1024 * 0.02)
  })

  test('polls, handshakes and downloads cost what they are', () => {
    const usual = monthOf({ agents: 100_000 })
    for (const worse of [
      { hasEtags: false },
      { handshake: 'new' },
      { download: 'whole' },
      { intervalMs: 60_000 },
    ] as const) {
      const month = monthOf({ agents: 100_000, ...worse })
      assert.ok(month.cloudFrontUsd > usual.cloudFrontUsd && month.s3Usd > usual.s3Usd, JSON.stringify(worse))
    }
  })
})

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-6 * Math.max(1, expected), `${actual} is not ${expected}`)
}
