// What GitHub answers on bad days, what killed runs leave, and what repositories forbid.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { type ErrorCode, sha256 } from '../../../manifests/index.ts'
import type { ReleaseEvent } from '../../../release/events.ts'
import type { GitHubConfig } from '../../../release/publishers/publish-config.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'
import { type Fault, type GitHubDouble, READ_TOKEN, startGitHub } from './github-double.ts'
import { bytesOf, fileOf, namesAt, notesOf, openDouble } from './github-place.ts'

const textAt = async (publisher: ReturnType<typeof openDouble>, path: string): Promise<string> =>
  new TextDecoder().decode(await publisher.read(path, 1000))

test('case 103: a rate limit that ends soon is waited for, with a note', async (t) => {
  const github = await startGitHub(t)
  const resetS = Math.floor(Date.now() / 1000)
  const limits: Fault[] = [
    { status: 403, message: 'You have exceeded a secondary rate limit', headers: { 'retry-after': '0' } },
    { status: 429, message: 'Too many requests', headers: { 'retry-after': '1' } },
    {
      status: 403,
      message: 'API rate limit exceeded',
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${resetS}` },
    },
  ]
  github.fault = ({ method }) => (method === 'POST' ? limits.shift() : undefined)
  const events: ReleaseEvent[] = []
  const publisher = openDouble(github, {}, { on: (event) => events.push(event) })
  await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
  assert.equal(await textAt(publisher, 'version.json'), 'one')
  assert.equal(limits.length, 0)
  assert.match(notesOf(events).join('\n'), /^(?:GitHub's rate limit is used up; going on in [0-2] s\.\n?){3}$/)
})

test('case 103: a rate limit that ends late is an error that says when', async (t) => {
  const github = await startGitHub(t)
  const publisher = openDouble(github)
  const [hour, now] = [3600, Math.floor(Date.now() / 1000)]
  for (const headers of [
    { 'retry-after': `${hour}` },
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${now + hour}` },
  ] as Record<string, string>[]) {
    github.fault = () => ({ status: 403, message: 'API rate limit exceeded', headers })
    const failure = await publisher.read('version.json', 10).catch((error: unknown) => error as { hint?: string })
    assert.throws(
      () => {
        throw failure as Error
      },
      failsWith('ERR_PUBLISH_FAILED', /^the rate limit is used up/),
    )
    const at = Date.parse(/after (\S+)\.$/.exec((failure as { hint?: string }).hint ?? '')?.[1] ?? '') / 1000
    assert.ok(at >= now + hour - 1 && at < now + hour + 600, String(at))
  }
})

const REFUSALS: readonly (readonly [string, Exclude<Fault, string | undefined>, ErrorCode, RegExp])[] = [
  [
    'bad credentials',
    { status: 401, message: 'Bad credentials' },
    'ERR_PUBLISH_REFUSED',
    /^the token is refused \(Bad credentials/,
  ],
  [
    'a token without rights',
    { status: 403, message: 'Resource not accessible by integration' },
    'ERR_PUBLISH_REFUSED',
    /^the token may not do that/,
  ],
  [
    'single sign-on',
    {
      status: 403,
      message: 'Resource protected by organization SAML enforcement.',
      headers: { 'x-github-sso': 'required' },
    },
    'ERR_PUBLISH_REFUSED',
    /single sign-on/,
  ],
  ['an unknown repository', { status: 404, message: 'Not Found' }, 'ERR_PUBLISH_REFUSED', /^no such repository/],
  [
    'an empty repository',
    { status: 409, message: 'Git Repository is empty.' },
    'ERR_PUBLISH_REFUSED',
    /^the repository is empty/,
  ],
  [
    'what GitHub finds invalid',
    { status: 422, message: 'Validation Failed' },
    'ERR_PUBLISH_REFUSED',
    /^GitHub refuses this with status 422/,
  ],
  ['an outage', { status: 503, message: 'Service Unavailable' }, 'ERR_PUBLISH_FAILED', /^GitHub is busy or broken/],
]

for (const [name, fault, code, message] of REFUSALS) {
  test(`case 103: ${name} ends as a typed error, and the next attempt succeeds`, async (t) => {
    const github = await startGitHub(t)
    const publisher = openDouble(github)
    github.fault = ({ method }) => (method === 'POST' ? fault : undefined)
    await assert.rejects(publisher.lock(), failsWith(code, message))
    github.fault = () => undefined
    await (
      await publisher.lock()
    )()
  })
}

test('a host that does not answer is a failure that may pass', async () => {
  const nowhere = { apiUrl: 'http://127.0.0.1:1/api/v3' } as GitHubDouble
  await assert.rejects(openDouble(nowhere).read('version.json', 10), failsWith('ERR_PUBLISH_FAILED', /^no connection/))
})

test('a token that may only read cannot publish; without one a public repository can be read', async (t) => {
  const github = await startGitHub(t)
  await openDouble(github).replaceManifest('version.json', bytesOf('one'), undefined)
  const reader = openDouble(github, {}, { env: { TOKEN: READ_TOKEN } })
  await assert.rejects(reader.lock(), failsWith('ERR_PUBLISH_REFUSED', /^the token may not do that/))
  const nobody = openDouble(github, {}, { env: {} })
  assert.equal(await textAt(nobody, 'version.json'), 'one')
  await assert.rejects(nobody.lock(), failsWith('ERR_CONFIG_MISSING', /^no token for GitHub: TOKEN/))
})

test('a request that fails once, in each of the ways, is made again, whatever it was', async (t) => {
  for (const how of ['hang up', 'lose answer', { status: 502, message: 'Bad Gateway' }] as const) {
    const github = await startGitHub(t)
    const seen = new Set<string>()
    // The first of each kind: of each method and each collection.
    github.fault = ({ method, path }) => {
      const kind = `${method} ${path.replace(/\d+/g, 'n').replace(/\/(tags|refs?)\/.*$/, '/$1')}`
      return seen.has(kind) ? undefined : (seen.add(kind), how)
    }
    const publisher = openDouble(github)
    const unlock = await publisher.lock()
    await publisher.putArtifact('bin/1.0.0/a', fileOf('half'))
    await publisher.putArtifact('bin/1.0.0/a', fileOf('whole'))
    await publisher.putDocument('releases/1.0.0.json', bytesOf('release'))
    await publisher.putArtifact('.attempted.json', fileOf('one'))
    await publisher.putArtifact('.attempted.json', fileOf('two'))
    await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
    await publisher.replaceManifest('beta/version.json', bytesOf('one'), undefined)
    await publisher.replaceManifest('beta/version.json', bytesOf('two'), sha256(bytesOf('one')))
    await unlock()
    assert.ok(seen.size > 12, String(seen.size))
    const files: [string, string][] = [
      ['bin/1.0.0/a', 'whole'],
      ['releases/1.0.0.json', 'release'],
      ['.attempted.json', 'two'],
      ['version.json', 'one'],
      ['beta/version.json', 'two'],
    ]
    for (const [path, text] of files)
      assert.equal(await textAt(publisher, path), text, `${JSON.stringify(how)} ${path}`)
    assert.deepEqual(
      [...github.state.refs.keys()].filter((ref) => ref.includes('lock')),
      [],
    )
  }
})

test('case 103: an upload that broke leaves an asset that is not whole; it is deleted and sent again', async (t) => {
  const github = await startGitHub(t)
  let isBroken = false
  github.fault = ({ path }) => (path.endsWith('/assets') && !isBroken ? ((isBroken = true), 'break upload') : undefined)
  const publisher = openDouble(github)
  const file = join(await temporaryFolder(t), 'artifact')
  const text = 'x'.repeat(3_000_000)
  await writeFile(file, text)
  const progress: number[] = []
  await publisher.putArtifact('bin/1.0.0/a', { ...fileOf(text), source: { file } }, (done) => progress.push(done))
  assert.equal((await publisher.digest('bin/1.0.0/a'))?.sha256, sha256(bytesOf(text)))
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  )

  // By a run that was killed, and by the next one.
  github.state.addAsset(github.state.create('bin/1.0.1'), {
    name: 'a',
    label: null,
    contentType: '',
    state: 'starter',
    bytes: Buffer.of(),
  })
  const [draft] = [...github.state.releases.values()].filter(({ tag }) => tag === 'bin/1.0.1')
  if (draft !== undefined) draft.body = '<!-- moult -->'
  assert.equal(await publisher.digest('bin/1.0.1/a'), undefined)
  await publisher.putArtifact('bin/1.0.1/a', fileOf('whole'))
  assert.equal(await textAt(publisher, 'bin/1.0.1/a'), 'whole')
})

test('what did not arrive as it was sent is removed, and an older server that tells no hash is read instead', async (t) => {
  const github = await startGitHub(t)
  github.state.hasDigests = false
  const publisher = openDouble(github)
  await publisher.putArtifact('bin/1.0.0/a', fileOf('whole'))
  github.state.isDamaging = true
  for (const hasDigests of [true, false]) {
    github.state.hasDigests = hasDigests
    await assert.rejects(
      publisher.putArtifact('bin/1.0.0/b', fileOf('broken')),
      failsWith('ERR_PUBLISH_FAILED', /did not arrive whole/),
    )
    assert.deepEqual(namesAt(github, 'bin/1.0.0'), ['a'])
  }
})

test('a file that GitHub would not take is refused before it is sent', async (t) => {
  const github = await startGitHub(t)
  const publisher = openDouble(github)
  const large = { size: 2 * 1024 ** 3, sha256: '', source: { file: '/dev/null' } }
  await assert.rejects(publisher.putArtifact('bin/1.0.0/a', large), failsWith('ERR_PUBLISH_REFUSED', /2 GiB/))
  await assert.rejects(publisher.putArtifact('bin/1.0.0/a', fileOf('')), failsWith('ERR_PUBLISH_REFUSED', /empty/))
})

test('case 103: in a repository with immutable releases the latest channel works, and others are told why not', async (t) => {
  const github = await startGitHub(t)
  github.state.isImmutable = true
  const publisher = openDouble(github)
  const unlock = await publisher.lock()
  await publisher.putArtifact('bin/1.0.0/a', fileOf('artifact'))
  await publisher.putDocument('releases/1.0.0.json', bytesOf('release'))
  await publisher.putDocument('trust/1.root.json', bytesOf('root'))
  for (const text of ['one', 'two']) await publisher.putArtifact('.attempted.json', fileOf(text))
  await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
  await publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one')))
  assert.equal(await textAt(publisher, 'version.json'), 'two')

  const beta = publisher.replaceManifest('beta/version.json', bytesOf('one'), undefined)
  await assert.rejects(beta, failsWith('ERR_PUBLISH_REFUSED', /are immutable: beta/))
  const immutable = failsWith('ERR_PUBLISH_REFUSED', /keeps published releases/)
  await assert.rejects(publisher.putArtifact('bin/1.0.0/b', fileOf('late')), immutable)
  await assert.rejects(publisher.remove('bin/1.0.0/a'), immutable)
  await unlock()
})

test('the tag of an immutable release that was deleted is never used again: the next number is', async (t) => {
  const github = await startGitHub(t)
  github.state.isImmutable = true
  const publisher = openDouble(github)
  await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
  await publisher.replaceManifest('version.json', undefined, sha256(bytesOf('one')))
  assert.equal(await publisher.read('version.json', 10), undefined)
  await publisher.replaceManifest('version.json', bytesOf('two'), undefined)
  assert.equal(github.state.latest()?.tag, 'manifests/stable/2')
})

test('what others release in the repository is not touched, and a latest release of theirs is put in its place', async (t) => {
  const github = await startGitHub(t)
  const publisher = openDouble(github)
  await publisher.replaceManifest('version.json', bytesOf('one'), undefined)
  const foreign = github.state.create('v9.9.9')
  github.state.addAsset(foreign, {
    name: 'version.json',
    label: null,
    contentType: '',
    state: 'uploaded',
    bytes: Buffer.from('theirs'),
  })
  const draft = github.state.create('bin/9.9.9')
  github.state.publish(foreign, 'true')
  const unlock = await publisher.lock()
  await unlock()
  assert.ok(github.state.releases.has(foreign.id) && github.state.releases.has(draft.id))
  assert.deepEqual(await publisher.channels(), ['stable'])
  assert.deepEqual(
    (await publisher.list('')).map(({ path }) => path),
    ['version.json'],
  )
  assert.equal(await textAt(publisher, 'version.json'), 'one')
  await publisher.replaceManifest('version.json', bytesOf('two'), sha256(bytesOf('one')))
  assert.equal(github.state.latest()?.tag, 'manifests/stable/2')
})

test('what killed runs left is settled under the lock, and old manifests go', async (t) => {
  const github = await startGitHub(t)
  const publisher = openDouble(github)
  const config: Partial<GitHubConfig> = {}
  let before: string | undefined
  for (let number = 1; number <= 12; number++) {
    await publisher.replaceManifest('version.json', bytesOf(`${number}`), before)
    before = sha256(bytesOf(`${number}`))
  }
  await publisher.putArtifact('beta/.attempted.json', fileOf('one'))
  await publisher.replaceManifest('beta/version.json', bytesOf('one'), undefined)
  // Killed between the two requests that replace an asset.
  let isKilled = false
  github.fault = () => (isKilled ? { status: 401, message: 'killed' } : undefined)
  github.onChange = ({ method, path }) => {
    isKilled ||= method === 'DELETE' && path.startsWith('/releases/assets/')
  }
  const replaced = publisher.replaceManifest('beta/version.json', bytesOf('two'), sha256(bytesOf('one')))
  await assert.rejects(replaced, failsWith('ERR_PUBLISH_REFUSED'))
  assert.equal(github.state.published('beta')?.assets.size, 2)
  github.fault = () => undefined
  github.onChange = () => {}
  const own = { name: 'x', label: null, contentType: '', state: 'uploaded', bytes: Buffer.from('x') } as const
  for (const tag of ['manifests/stable/13', 'beta']) {
    const lost = github.state.create(tag)
    lost.body = '<!-- moult -->'
    github.state.addAsset(lost, own)
  }

  const next = openDouble(github, config)
  const unlock = await next.lock()
  assert.equal(await textAt(next, 'beta/version.json'), 'two')
  assert.deepEqual(namesAt(github, 'beta'), ['attempted.json', 'version.json'])
  const tags = [...github.state.releases.values()].map(({ tag }) => tag)
  assert.deepEqual(tags, [...Array.from({ length: 10 }, (_, index) => `manifests/stable/${index + 3}`), 'beta'])
  assert.ok(!github.state.refs.has('refs/tags/manifests/stable/2'))
  await unlock()
})
