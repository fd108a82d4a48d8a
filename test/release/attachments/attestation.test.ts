import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { sourceUri } from '../../../release/attachments/build-origin.ts'
import { readLockPackages } from '../../../release/attachments/lock-packages.ts'
import { readRoot, parseStrictJson, sha256 } from '../../../manifests/index.ts'
import { type ReleaseEvent, verifyPublished } from '../../../release/index.ts'
import { failsWith, type Fixture, makeProject, PLATFORMS, snapshot } from '../project-fixture.ts'
import { sbomFaults, statementFaults } from './published-schemas.ts'

const SBOM = 'updates/bin/1.0.0/sbom.cdx.json'
const PROVENANCE = 'updates/bin/1.0.0/provenance.intoto.json'
const SHA512 = Buffer.alloc(64, 7)

interface Sbom {
  readonly serialNumber: string
  readonly components: readonly {
    readonly type: string
    readonly name: string
    readonly purl?: string
    readonly scope?: string
    readonly hashes?: readonly { alg: string; content: string }[]
    readonly licenses?: unknown
  }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}

interface Statement {
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[]
  readonly predicate: {
    readonly buildDefinition: { readonly resolvedDependencies: readonly Record<string, unknown>[] }
    readonly runDetails: {
      readonly builder: { readonly id: string }
      readonly metadata?: { readonly invocationId: string }
    }
  }
}

interface Published {
  readonly binaries: Readonly<Record<string, { readonly sha256: string }>>
  readonly attachments?: Readonly<
    Record<string, { readonly url: string; readonly sha256: string; readonly size: number }>
  >
}

const LOCK = {
  name: 'probe-project',
  lockfileVersion: 3,
  packages: {
    '': { dependencies: { one: '^1.0.0', '@scope/two': '^2.0.0' }, devDependencies: { tool: '^3.0.0' } },
    'node_modules/one': {
      version: '1.0.1',
      integrity: `sha512-${SHA512.toString('base64')}`,
      license: 'MIT',
      dependencies: { three: '^1.0.0' },
    },
    'node_modules/one/node_modules/three': { version: '1.5.0', license: '(MIT OR Apache-2.0)' },
    'node_modules/three': { version: '2.0.0', license: 'SEE LICENSE IN terms.txt' },
    'node_modules/@scope/two': { version: '2.1.0+build', optionalDependencies: { three: '^2.0.0', absent: '*' } },
    'node_modules/tool': { version: '3.0.0', dev: true, dependencies: { three: '^2.0.0' } },
    'node_modules/local': { resolved: 'packages/local', link: true },
    'packages/local': { name: 'local', version: '0.1.0' },
  },
}

async function withLock(fixture: Fixture, lock: unknown = LOCK): Promise<Fixture> {
  await writeFile(join(fixture.dir, 'package-lock.json'), JSON.stringify(lock))
  return fixture
}

describe('the bill of materials and the provenance of a release', () => {
  test('are published beside the artifacts, signed with their hash, and checked like them', async (t) => {
    const { release, read, readJson, updates, dir } = await makeProject(t)
    await release('1.0.0')
    const { attachments } = await readJson<Published>('updates/version.json')
    assert.deepEqual(Object.keys(attachments ?? {}), ['sbom', 'provenance'])
    for (const [name, path] of [
      ['sbom', SBOM],
      ['provenance', PROVENANCE],
    ] as const) {
      const text = await read(path)
      const { sha256: hash, size, url } = attachments?.[name] ?? { sha256: '', size: 0, url: '' }
      assert.deepEqual([`updates/${url}`, hash, size], [path, sha256(Buffer.from(text)), text.length])
    }
    const root = readRoot(parseStrictJson(Buffer.from(await read('trust/1.root.json'))))
    await verifyPublished({ place: updates, root })
    for (const path of [SBOM, PROVENANCE]) {
      const whole = await read(path)
      await writeFile(join(dir, path), whole.replace('probe', 'probf'))
      await assert.rejects(
        verifyPublished({ place: updates, root }),
        failsWith('ERR_BYTES_HASH', new RegExp(path.slice(8))),
      )
      await writeFile(join(dir, path), whole)
    }
    await verifyPublished({ place: updates, root })
  })

  test('are of their published formats, and name exactly the artifacts of the release', async (t) => {
    const { release, readJson } = await withLock(await makeProject(t))
    await release('1.0.0')
    const [sbom, statement] = [await readJson<Sbom>(SBOM), await readJson<Statement>(PROVENANCE)]
    assert.deepEqual(sbomFaults(sbom), [])
    assert.deepEqual(statementFaults(statement), [])
    const { binaries } = await readJson<Published>('updates/version.json')
    for (const platform of PLATFORMS) {
      const hash = binaries[platform]?.sha256
      assert.equal(statement.subject.find(({ name }) => name === `probe-${platform}`)?.digest.sha256, hash)
      const file = sbom.components.find(({ name, type }) => type === 'file' && name === `probe-${platform}`)
      assert.deepEqual(file?.hashes, [{ alg: 'SHA-256', content: hash }])
    }
  })

  test('are the same bytes for the same release, and others for another', async (t) => {
    const [one, other] = [await withLock(await makeProject(t)), await withLock(await makeProject(t))]
    for (const { release } of [one, other]) await release('1.0.0')
    assert.equal(await one.read(SBOM), await other.read(SBOM))
    const subjects = async ({ readJson }: Fixture): Promise<unknown> => (await readJson<Statement>(PROVENANCE)).subject
    assert.deepEqual(await subjects(one), await subjects(other))
    const third = await withLock(await makeProject(t), { ...LOCK, packages: {} })
    await third.release('1.0.0')
    const serial = async ({ readJson }: Fixture): Promise<string> => (await readJson<Sbom>(SBOM)).serialNumber
    assert.notEqual(await serial(third), await serial(one))
  })

  test('a job that is run again keeps those that were signed', async (t) => {
    const { release, updates } = await makeProject(t)
    await release('1.0.0', { rollout: false })
    const env = { GITHUB_ACTIONS: 'true', GITHUB_REPOSITORY: 'acme/agent', GITHUB_RUN_ID: '7' }
    const before = await snapshot(join(updates, 'bin'))
    assert.equal((await release('1.0.0', {}, { env })).kind, 'published')
    assert.deepEqual(await snapshot(join(updates, 'bin')), before)
  })

  test('stay away where the configuration says so', async (t) => {
    const { release, readJson } = await makeProject(t, { attest: false })
    await release('1.0.0')
    assert.equal((await readJson<Published>('updates/version.json')).attachments, undefined)
  })
})

describe('the packages of an SBOM', () => {
  test('are those of package-lock.json, with hashes, licences and what needs what', async (t) => {
    const { release, readJson } = await withLock(await makeProject(t))
    await release('1.0.0')
    const { components, dependencies } = await readJson<Sbom>(SBOM)
    const libraries = components.filter(({ type }) => type === 'library')
    assert.deepEqual(
      libraries.map(({ purl, scope }) => `${purl} ${scope}`),
      [
        'pkg:npm/%40scope/two@2.1.0%2Bbuild required',
        'pkg:npm/local@0.1.0 required',
        'pkg:npm/one@1.0.1 required',
        'pkg:npm/three@1.5.0 required',
        'pkg:npm/three@2.0.0 required',
        'pkg:npm/tool@3.0.0 optional',
      ],
    )
    assert.deepEqual(libraries[2]?.hashes, [{ alg: 'SHA-512', content: SHA512.toString('hex') }])
    assert.deepEqual(
      libraries.map(({ licenses }) => licenses),
      [
        undefined,
        undefined,
        [{ expression: 'MIT' }],
        [{ expression: '(MIT OR Apache-2.0)' }],
        [{ license: { name: 'SEE LICENSE IN terms.txt' } }],
        undefined,
      ],
    )
    const needs = Object.fromEntries(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
    assert.deepEqual(needs['probe@1.0.0'], [
      'pkg:npm/%40scope/two@2.1.0%2Bbuild',
      'pkg:npm/one@1.0.1',
      'pkg:npm/tool@3.0.0',
    ])
    assert.deepEqual(needs['pkg:npm/one@1.0.1'], ['pkg:npm/three@1.5.0'], 'the one in its own folder')
    assert.deepEqual(needs['pkg:npm/tool@3.0.0'], ['pkg:npm/three@2.0.0'])
  })

  test('of this project can be read, each once', async () => {
    const text = execFileSync('cat', [new URL('../../../package-lock.json', import.meta.url).pathname], {
      encoding: 'utf8',
    })
    const locked = readLockPackages(text)
    const refs = (locked?.components ?? []).map((each) => each['bom-ref'])
    assert.ok(refs.length > 100)
    assert.equal(new Set(refs).size, refs.length)
    for (const needed of locked?.dependsOn.values() ?? []) for (const ref of needed) assert.ok(refs.includes(ref))
  })

  for (const [name, lock] of [
    ['that is no JSON', undefined],
    ['of before npm 7', { lockfileVersion: 1, dependencies: {} }],
  ] as const) {
    test(`a lock file ${name} is told, and stops no release`, async (t) => {
      const { release, readJson, dir } = await makeProject(t)
      await writeFile(join(dir, 'package-lock.json'), lock === undefined ? '{' : JSON.stringify(lock))
      const events: ReleaseEvent[] = []
      await release('1.0.0', {}, { on: (event) => events.push(event) })
      assert.ok(
        events.some((event) => event.kind === 'note' && event.text.startsWith('package-lock.json lists no packages')),
      )
      assert.deepEqual(sbomFaults(await readJson<Sbom>(SBOM)), [])
    })
  }
})

describe('what a release was built from', () => {
  const git = (dir: string, ...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: dir,
      encoding: 'utf8',
    }).trim()

  test('is the commit, without the credentials of its remote, and marked where files were changed', async (t) => {
    const { release, readJson, dir, writeAgents } = await makeProject(t)
    git(dir, 'init', '--quiet')
    git(dir, 'add', 'moult.config.json', 'bin')
    git(dir, 'commit', '--quiet', '--message', 'first')
    git(dir, 'remote', 'add', 'origin', 'https://someone:a-token@git.example.com/acme/agent.git')
    await release('1.0.0')
    const sourceOf = async (version: string): Promise<unknown> =>
      (await readJson<Statement>(`updates/bin/${version}/provenance.intoto.json`)).predicate.buildDefinition
        .resolvedDependencies[0]
    const source = {
      name: 'source',
      uri: 'git+https://git.example.com/acme/agent.git',
      digest: { gitCommit: git(dir, 'rev-parse', 'HEAD') },
    }
    assert.deepEqual(await sourceOf('1.0.0'), source)
    await writeAgents('echo 2')
    await release('1.0.1')
    assert.deepEqual(await sourceOf('1.0.1'), { ...source, annotations: { modified: true } })
  })

  test('outside a repository is the configuration alone', async (t) => {
    const { release, readJson, read } = await makeProject(t)
    await release('1.0.0')
    const { buildDefinition, runDetails } = (await readJson<Statement>(PROVENANCE)).predicate
    assert.deepEqual(buildDefinition.resolvedDependencies, [
      { name: 'moult.config.json', digest: { sha256: sha256(Buffer.from(await read('moult.config.json'))) } },
    ])
    assert.deepEqual(runDetails, { builder: { id: 'urn:moult:builder:local' } })
  })

  const jobs: readonly (readonly [string, Record<string, string>, string, string])[] = [
    [
      'GitHub',
      {
        GITHUB_ACTIONS: 'true',
        GITHUB_SERVER_URL: 'https://github.com',
        GITHUB_REPOSITORY: 'acme/agent',
        GITHUB_WORKFLOW_REF: 'acme/agent/.github/workflows/release.yml@refs/tags/v1.0.0',
        GITHUB_RUN_ID: '42',
        GITHUB_RUN_ATTEMPT: '2',
        GITHUB_SHA: 'ab'.repeat(20),
      },
      'https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/v1.0.0',
      'https://github.com/acme/agent/actions/runs/42/attempts/2',
    ],
    [
      'GitLab',
      {
        GITLAB_CI: 'true',
        CI_PROJECT_URL: 'https://gitlab.example.com/acme/agent',
        CI_JOB_URL: 'https://gitlab.example.com/acme/agent/-/jobs/9',
        CI_RUNNER_ID: '3',
        CI_COMMIT_SHA: 'ab'.repeat(20),
      },
      'https://gitlab.example.com/acme/agent/-/runners/3',
      'https://gitlab.example.com/acme/agent/-/jobs/9',
    ],
  ]
  for (const [name, env, builder, invocation] of jobs) {
    test(`in a job of ${name} has its URL and its commit`, async (t) => {
      const { release, readJson } = await makeProject(t)
      await release('1.0.0', {}, { env })
      const { buildDefinition, runDetails } = (await readJson<Statement>(PROVENANCE)).predicate
      assert.deepEqual(runDetails, { builder: { id: builder }, metadata: { invocationId: invocation } })
      const [source] = buildDefinition.resolvedDependencies
      assert.deepEqual(source?.['digest'], { gitCommit: 'ab'.repeat(20) })
    })
  }

  test('has no folder of a machine and no secret in a URI', () => {
    assert.equal(sourceUri('git@github.com:acme/agent.git'), 'git+ssh://github.com/acme/agent.git')
    assert.equal(sourceUri('ssh://git@example.com:22/acme/agent'), 'git+ssh://example.com:22/acme/agent')
    assert.equal(sourceUri('https://u:p@example.com/a?token=x#y'), 'git+https://example.com/a')
    for (const text of [undefined, '/home/me/agent', '../agent', 'file:///home/me/agent', 'C:\\agent', ''])
      assert.equal(sourceUri(text), undefined)
  })
})
