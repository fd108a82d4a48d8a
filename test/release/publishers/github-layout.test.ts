import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  addressOf,
  channelOfManifest,
  locateDownloads,
  pathOfAsset,
  pendingName,
  seriesNumber,
} from '../../../release/publishers/github-layout.ts'
import { failsWith } from '../project-fixture.ts'

const ADDRESSES: readonly (readonly [path: string, tag: string, asset: string])[] = [
  ['bin/1.0.0/probe-linux-amd64.br', 'bin/1.0.0', 'probe-linux-amd64.br'],
  ['bin/1.0.0-rc.1+build.5/probe-linux-amd64', 'bin/1.0.0-rc.1+build.5', 'probe-linux-amd64'],
  ['releases/1.0.0+5.json', 'bin/1.0.0+5', 'release.json'],
  ['trust/12.root.json', 'trust/12', '12.root.json'],
  [`history/${'0a'.repeat(32)}.json`, `history/${'0a'.repeat(32)}`, `${'0a'.repeat(32)}.json`],
  ['version.json', 'stable', 'version.json'],
  ['.attempted.json', 'stable', 'attempted.json'],
  ['beta/version.json', 'beta', 'version.json'],
  ['beta/.attempted.json', 'beta', 'attempted.json'],
  ['charts/1.0.0/values.yaml', 'charts/1.0.0', 'values.yaml'],
]

for (const [path, tag, asset] of ADDRESSES) {
  test(`${path} is the asset ${asset} of the release ${tag}, and the way back is the same`, () => {
    assert.deepEqual(addressOf(path), { tag, asset })
    assert.equal(pathOfAsset({ tag, asset }), path)
  })
}

const REFUSED: readonly (readonly [path: string, message: RegExp])[] = [
  ['bin/1.0.0/release.json', /^the name belongs to another file, releases\/1\.0\.0\.json: /],
  ['beta/attempted.json', /^the name belongs to another file, beta\/\.attempted\.json: /],
  [`history/${'0a'.repeat(32)}/${'0a'.repeat(32)}.json`, /^the name belongs to another file, history\/0a/],
  ['bin/1.0.0/.hidden', /^not a name of a release asset: /],
  ['bin/1.0.0/a b', /^not a name of a release asset: /],
  ['bin/1.0.0/a+b', /^not a name of a release asset: /],
  ['bin/1.0.0/ends.', /^not a name of a release asset: /],
  ['bin/1.0.0/', /^not a name of a release asset: /],
  [`bin/1.0.0/${pendingName('a', '0123abcd')}`, /^not a name of a release asset: /],
  ['bin/1.0.0-a.lock/a', /^no git tag can be called bin\/1\.0\.0-a\.lock: /],
  ['manifests/version.json', /^no git tag can be called manifests: /],
  ['alone.txt', /^no git tag can be called : /],
]

for (const [path, message] of REFUSED) {
  test(`case 103: ${path} has no place among releases`, () => {
    assert.throws(() => addressOf(path), failsWith('ERR_PUBLISH_REFUSED', message))
  })
}

test('only a manifest is the manifest of a channel', () => {
  assert.equal(channelOfManifest('version.json'), 'stable')
  assert.equal(channelOfManifest('beta/version.json'), 'beta')
  for (const path of ['beta/.attempted.json', 'bin/1.0.0/version.json', 'xversion.json'])
    assert.equal(channelOfManifest(path), undefined, path)
})

test('the number of a manifest is in its tag, and in no other', () => {
  assert.equal(seriesNumber('manifests/stable/42', 'stable'), 42)
  for (const tag of [
    'manifests/beta/42',
    'manifests/stable/042',
    'manifests/stable/4x',
    'manifests/stable/0',
    'stable',
  ])
    assert.equal(seriesNumber(tag, 'stable'), undefined, tag)
})

test('what the addresses that agents poll belong to is found below them', () => {
  const base = 'https://github.com/acme/agent/releases'
  const urls = (place: string, ...paths: string[]): string[] =>
    paths.map((path) => (locateDownloads(place)?.(path).href ?? '').replace(base, ''))
  const paths = ['version.json', 'beta/version.json', 'releases/1.0.0+5.json', 'trust/1.root.json', 'bin/1.0.0/a']
  const files = ['/download/bin/1.0.0+5/release.json', '/download/trust/1/1.root.json', '/download/bin/1.0.0/a']
  const ofLatest = ['/latest/download/version.json', '/latest/download/version.json', ...files]
  for (const end of ['', '/', '/version.json'])
    assert.deepEqual(urls(`${base}/latest/download${end}`, ...paths), ofLatest)
  const ofOthers = ['/latest/download/version.json', '/download/beta/version.json', ...files]
  assert.deepEqual(urls(`${base}/download/`, ...paths), ofOthers)
  for (const place of [`${base}/download/beta/x`, base, 'https://example.com/releases/download'])
    assert.equal(locateDownloads(place), undefined, place)
})
