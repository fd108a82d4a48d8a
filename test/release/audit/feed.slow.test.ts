// The feed is read by a parser that is not ours: that of Python, which every machine of the developers and of CI has.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { setRollout } from '../../../release/index.ts'
import { entryId, feedText } from '../../../release/audit/feed-text.ts'
import { type Fixture, makeProject, snapshot } from '../project-fixture.ts'
import { startGitHub, TOKEN } from '../publishers/github-double.ts'
import { releaseEach, SMALL } from '../prune/prune-place.ts'
import { historyOf } from './history-place.ts'

const PROGRAM = `
import json, sys, xml.etree.ElementTree as tree
A = '{http://www.w3.org/2005/Atom}'
feed = tree.fromstring(sys.stdin.buffer.read())
assert feed.tag == A + 'feed'
def read(one):
    link = [l.attrib for l in one.findall(A + 'link')]
    return {**{t: one.findtext(A + t) for t in ('id', 'title', 'updated', 'content')}, 'link': link}
print(json.dumps({**read(feed), 'author': feed.findtext(A + 'author/' + A + 'name'), 'entries': [read(e) for e in feed.findall(A + 'entry')]}))`

interface Part {
  readonly id: string
  readonly title: string
  readonly updated: string
  readonly content: string | null
  readonly link: readonly Readonly<Record<string, string>>[]
}

type Parsed = Part & { readonly author: string; readonly entries: readonly Part[] }

function parse(t: TestContext, xml: string | Uint8Array): Parsed | undefined {
  const { status, stdout, stderr, error } = spawnSync('python3', ['-c', PROGRAM], { input: xml, encoding: 'utf8' })
  if (error !== undefined && 'code' in error && error.code === 'ENOENT') {
    assert.equal(process.env['CI'], undefined, 'CI has python3')
    t.skip('no python3 here')
    return undefined
  }
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout) as Parsed
}

const titles = async (t: TestContext, { updates }: Fixture, path = 'feed.atom'): Promise<string[] | undefined> =>
  parse(t, await readFile(join(updates, path)))?.entries.map(({ title }) => title)

test('a feed tells of the releases of its channel, newest first, with what is new in them and where they are', async (t) => {
  const project = await makeProject(t, SMALL)
  await project.release('1.0.0', { changelog: 'First.' })
  await releaseEach(project, ['1.1.0-beta.1'], 'beta')
  await releaseEach(project, ['1.0.1'])
  const feed = parse(t, await readFile(join(project.updates, 'feed.atom')))
  if (feed === undefined) return
  const { release_date: released, rollout } = await project.readJson<{
    release_date: string
    rollout: { release: string }
  }>('updates/version.json')
  assert.deepEqual([feed.title, feed.author, feed.updated, feed.link], ['probe on stable', 'probe', released, []])
  assert.match(feed.id, /^urn:moult:feed:[0-9a-f]{64}:stable$/)
  const link = [{ rel: 'alternate', type: 'application/json', href: 'releases/1.0.1.json' }]
  assert.deepEqual(feed.entries[0], {
    id: entryId(rollout.release),
    title: 'probe 1.0.1',
    updated: released,
    content: null,
    link,
  })
  assert.deepEqual(
    feed.entries.map(({ title, content }) => [title, content]),
    [
      ['probe 1.0.1', null],
      ['probe 1.0.0', 'First.'],
    ],
  )
  const beta = parse(t, await readFile(join(project.updates, 'beta/feed.atom')))
  assert.deepEqual(
    beta?.entries.map((one) => one.link[0]?.['href']),
    ['../releases/1.1.0-beta.1.json'],
  )
})

test('its links are absolute where the address is known', async (t) => {
  for (const baseUrl of ['https://updates.example.com/a&b', 'https://updates.example.com/a&b/']) {
    const project = await makeProject(t, { ...SMALL, baseUrl })
    await project.release('1.0.0+5', { channel: 'beta' })
    const feed = parse(t, await readFile(join(project.updates, 'beta/feed.atom')))
    if (feed === undefined) return
    assert.equal(feed.link[0]?.['href'], 'https://updates.example.com/a&b/beta/feed.atom')
    assert.equal(feed.entries[0]?.link[0]?.['href'], 'https://updates.example.com/a&b/releases/1.0.0%2B5.json')
  }
})

test('a hostile changelog is text, every character of it', (t) => {
  const changelog = `</content><script>alert('1')</script>]]> &amp; &lt; <!-- "x" \r\n\ttab \u{1f980} \u2028 <?xml version="1.0"?>`
  const entry = { version: '1.0.0', digest: '0'.repeat(64), released: '2026-11-21T02:00:00Z', url: `x"><y a='` }
  const feed = { name: 'probe', channel: 'stable', project: '1'.repeat(64), updated: entry.released, url: undefined }
  const parsed = parse(
    t,
    feedText({
      ...feed,
      entries: [
        { ...entry, changelog },
        { ...entry, changelog: 'a\ufffe\uffffb' },
      ],
    }),
  )
  if (parsed === undefined) return
  assert.equal(parsed.entries[0]?.content, changelog)
  assert.equal(parsed.entries[0]?.link[0]?.['href'], entry.url)
  assert.equal(parsed.entries[1]?.content, 'a\ufffd\ufffdb')
})

test('it is written when a release is new, and left alone when the rollout changes', async (t) => {
  const project = await makeProject(t, SMALL)
  await releaseEach(project, ['1.0.0'])
  const before = await readFile(join(project.updates, 'feed.atom'))
  const widened = await setRollout({ config: project.config, version: '1.0.0', percent: 50 }, { env: {} })
  assert.ok(!widened.files.some(({ path }) => path === 'feed.atom'))
  assert.deepEqual(await readFile(join(project.updates, 'feed.atom')), before)
  await rm(join(project.updates, 'feed.atom'))
  await project.release('1.0.0')
  assert.deepEqual(await titles(t, project), ['probe 1.0.0'])
})

test('it has the last twenty versions, whatever lies in the feed before', async (t) => {
  const project = await makeProject(t, SMALL)
  const versions = Array.from({ length: 22 }, (_, patch) => `1.0.${patch}`)
  await releaseEach(project, versions.slice(0, 21))
  await writeFile(join(project.updates, 'feed.atom'), '<feed><entry><title>6.6.6</title></entry></feed>')
  await releaseEach(project, versions.slice(21))
  const found = await titles(t, project)
  if (found !== undefined)
    assert.deepEqual(
      found,
      versions
        .toReversed()
        .slice(0, 20)
        .map((version) => `probe ${version}`),
    )
})

test('a feed that cannot be written is a warning, and the next publish writes it', async (t) => {
  const project = await makeProject(t, SMALL)
  // A folder in its place: nothing can be renamed over it.
  await mkdir(join(project.updates, 'feed.atom/in-the-way'), { recursive: true })
  const notes: string[] = []
  const on = (event: { kind: string; text?: string }): void =>
    void (event.kind === 'note' && notes.push(event.text ?? ''))
  const { kind } = await project.release('1.0.0', {}, { on })
  assert.equal(kind, 'published')
  assert.match(notes.at(-1) ?? '', /^not written, and tried again by the next publish .*: feed\.atom$/)
  assert.equal((await historyOf(project)).end.kind, 'first')
  await rm(join(project.updates, 'feed.atom'), { recursive: true })
  await setRollout({ config: project.config, version: '1.0.0', percent: 5 }, { env: {} })
  assert.deepEqual(await titles(t, project), ['probe 1.0.0'])
})

test('a plan says that it would be written, and does not; a release that waits for its rollout is told to nobody', async (t) => {
  const project = await makeProject(t, SMALL)
  const { files } = await project.release('1.0.0', { plan: true })
  assert.deepEqual(
    files.slice(-2).map(({ path, action }) => `${action} ${path}`),
    ['write version.json', 'write feed.atom'],
  )
  await project.release('1.0.0', { rollout: false })
  assert.ok(!Object.keys(await snapshot(project.updates)).includes('feed.atom'))
})

test('a repository has a feed of its own, and gets no other', async (t) => {
  const github = await startGitHub(t)
  const publish = { github: { repository: 'acme/agent', apiUrl: github.apiUrl, tokenEnv: 'TOKEN' } }
  const project = await makeProject(t, { ...SMALL, publish })
  const { files } = await project.release('1.0.0', {}, { env: { TOKEN } })
  assert.ok(!files.some(({ path }) => path.endsWith('.atom')))
})
