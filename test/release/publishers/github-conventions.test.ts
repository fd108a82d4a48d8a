// Which repository, host and token: the conventions of GitHub Actions and of `gh`.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { type GitHubPlace, placeOf } from '../../../release/publishers/github-place.ts'
import type { GitHubConfig } from '../../../release/publishers/publish-config.ts'
import { failsWith } from '../project-fixture.ts'

type Case = readonly [name: string, config: GitHubConfig, env: Record<string, string>, expected: Partial<GitHubPlace>]

const REPOSITORY = 'acme/agent'
const WEB = 'https://github.com/acme/agent'
const OWN_API = 'https://git.example.com/api/v3'
const OWN_WEB = 'https://git.example.com/acme/agent'

const CASES: readonly Case[] = [
  [
    'github.com by default',
    { repository: REPOSITORY },
    {},
    { apiUrl: 'https://api.github.com', webUrl: WEB, token: undefined },
  ],
  [
    'the repository of a workflow',
    {},
    { GITHUB_REPOSITORY: REPOSITORY },
    { owner: 'acme', repo: 'agent', webUrl: WEB },
  ],
  ['the configuration before the workflow', { repository: 'a/b' }, { GITHUB_REPOSITORY: REPOSITORY }, { owner: 'a' }],
  ['GITHUB_TOKEN', { repository: REPOSITORY }, { GITHUB_TOKEN: 'one' }, { token: 'one' }],
  ['GH_TOKEN first', { repository: REPOSITORY }, { GITHUB_TOKEN: 'one', GH_TOKEN: 'two' }, { token: 'two' }],
  ['an empty variable is none', { repository: REPOSITORY }, { GITHUB_TOKEN: 'one', GH_TOKEN: ' ' }, { token: 'one' }],
  ['a variable of its own', { repository: REPOSITORY, tokenEnv: 'MINE' }, { MINE: 'x', GH_TOKEN: 'y' }, { token: 'x' }],
  [
    'a host in the repository',
    { repository: `git.example.com/${REPOSITORY}` },
    {},
    { apiUrl: OWN_API, webUrl: OWN_WEB },
  ],
  ['GH_HOST', { repository: REPOSITORY }, { GH_HOST: 'git.example.com' }, { apiUrl: OWN_API, webUrl: OWN_WEB }],
  [
    'a tenant of ghe.com',
    { repository: REPOSITORY },
    { GH_HOST: 'acme.ghe.com', GH_TOKEN: 'x' },
    { apiUrl: 'https://api.acme.ghe.com', webUrl: 'https://acme.ghe.com/acme/agent', token: 'x' },
  ],
  [
    'a token of github.com goes to no other host',
    { repository: REPOSITORY, apiUrl: `${OWN_API}/` },
    { GH_TOKEN: 'x', GITHUB_TOKEN: 'y' },
    { apiUrl: OWN_API, token: undefined },
  ],
  [
    'an enterprise token does',
    { repository: REPOSITORY, apiUrl: OWN_API },
    { GH_ENTERPRISE_TOKEN: 'x' },
    { token: 'x' },
  ],
  [
    'a workflow on another host',
    {},
    {
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_API_URL: OWN_API,
      GITHUB_SERVER_URL: 'https://git.example.com',
      GITHUB_TOKEN: 'x',
    },
    { apiUrl: OWN_API, webUrl: OWN_WEB, token: 'x' },
  ],
  [
    'a workflow on github.com that publishes elsewhere',
    { repository: REPOSITORY, apiUrl: OWN_API },
    { GITHUB_API_URL: 'https://api.github.com', GITHUB_TOKEN: 'x' },
    { apiUrl: OWN_API, token: undefined },
  ],
]

for (const [name, config, env, expected] of CASES) {
  test(`the place and the token: ${name}`, () => {
    const place = placeOf(config, env)
    const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, place[key as keyof GitHubPlace]]))
    assert.deepEqual(seen, expected)
  })
}

test('no repository is an error of the configuration', () => {
  for (const env of [{}, { GITHUB_REPOSITORY: 'agent' }])
    assert.throws(() => placeOf({}, env), failsWith('ERR_CONFIG_MISSING', /no repository is named/))
})

test('a token is not sent in the clear to another machine', () => {
  assert.throws(
    () => placeOf({ repository: REPOSITORY, apiUrl: 'http://git.example.com/api/v3' }, {}),
    failsWith('ERR_CONFIG_INVALID', /in the clear/),
  )
  assert.equal(placeOf({ repository: REPOSITORY, apiUrl: 'http://localhost:8080/api/v3' }, {}).owner, 'acme')
})
