// The format must be verifiable with no code of ours: here jq and openssl do it, in a script of plain sh.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { type JsonObject, verifyManifest } from '../../manifests/index.ts'
import {
  makeKey,
  makeManifest,
  type ManifestOptions,
  makeRelease,
  makeRoot,
  makeRollout,
  member,
  signStatement,
} from '../fixtures/signed-manifest.ts'

const SCRIPT = fileURLToPath(new URL('../fixtures/verify-with-openssl.sh', import.meta.url))
const missing = [
  ['jq', '--version'],
  ['openssl', 'version'],
].filter(([tool = '', flag = '']) => spawnSync(tool, [flag]).status !== 0)
const skip =
  missing.length > 0 && `NOT checked with ordinary tools: ${missing.map(([tool]) => tool).join(' and ')} missing`

describe('jq and openssl', { skip }, () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'moult-openssl-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  function run(bytes: Uint8Array, root: JsonObject): { status: number | null; stdout: string; stderr: string } {
    const [manifestPath, rootPath] = [join(folder, 'version.json'), join(folder, 'root.json')]
    writeFileSync(manifestPath, bytes)
    writeFileSync(rootPath, JSON.stringify(root))
    return spawnSync('sh', [SCRIPT, manifestPath, rootPath], { encoding: 'utf8' })
  }

  function verifies(options: ManifestOptions): void {
    const { bytes, trust, now } = makeManifest(options)
    assert.equal(verifyManifest(bytes, trust, now).kind, 'accepted')
    const result = run(bytes, trust.root.document)
    assert.equal(result.status, 0, result.stderr)
    assert.equal(result.stdout, 'release: verified\nrollout: verified\nbinding: verified\n')
  }

  function refuses(options: ManifestOptions, reason: RegExp): void {
    const { bytes, trust, now } = makeManifest(options)
    assert.equal(verifyManifest(bytes, trust, now).kind, 'refused')
    const result = run(bytes, trust.root.document)
    assert.equal(result.status, 1)
    assert.match(result.stderr, reason)
  }

  test('verify a manifest: release, rollout and their binding', () => verifies({}))

  test('verify one with unusual text and many members', () => {
    const changelog = 'Ünïcode \u2028 "quotes" \\ / <tags> \t\r\n \u{1f600}'
    verifies({
      release: { changelog, min_version: '1.0.0', later: { z: [null, true, -5], a: 9007199254740991 } },
      rollout: { paused: true },
    })
  })

  test('verify one to a threshold of two', () => {
    const release = [makeKey('release'), makeKey('second')]
    const keys = { root: [makeKey('root')], release, rollout: [makeKey('rollout')] }
    const pinned = makeRoot({ keys, thresholds: { release: 2 } })
    verifies({ keys, pinned })
    refuses({ keys, pinned, releaseSigners: [...release.slice(1), ...release.slice(1)] }, /release: 1 of 2/)
  })

  test('find a changed byte in the release and in the rollout', () => {
    const changed = (from: string, to: string) => ({
      serialise: (document: JsonObject) => {
        const text = JSON.stringify(document)
        assert.equal(text.split(from).length, 2)
        return text.replace(from, to)
      },
    })
    refuses(changed('WAL', 'WAM'), /release: 0 of 1/)
    refuses(changed('"sequence":42', '"sequence":43'), /rollout: 0 of 1/)
  })

  test('find a foreign signer, and a rollout that is bound to another release', () => {
    refuses({ releaseSigners: [makeKey('rollout')] }, /release: 0 of 1/)
    refuses({ rolloutSigners: [makeKey('release')] }, /rollout: 0 of 1/)
    const rollout = signStatement(makeRollout(makeRelease({ version: '1.4.1' })), [makeKey('rollout')])
    refuses(
      {
        edit: (document) => {
          document['rollout'] = rollout
        },
      },
      /binding: the rollout is for another release/,
    )
  })

  test('find a key that does not hash to its id', () => {
    const { bytes, trust } = makeManifest()
    const root = structuredClone(trust.root.document)
    const [release, rollout] = [makeKey('release'), makeKey('rollout')]
    member(root, 'keys')[release.id] = member(member(root, 'keys'), rollout.id)
    const result = run(bytes, root)
    assert.equal(result.status, 1)
    assert.match(result.stderr, /key id is not the hash of its key/)
  })
})
