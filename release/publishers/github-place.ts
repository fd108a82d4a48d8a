// Which repository on which host, and with whose token, by the conventions of GitHub Actions and of the command `gh`.

import { MoultError } from '../../manifests/index.ts'
import type { Environment } from '../surroundings.ts'
import type { GitHubConfig } from './publish-config.ts'

export interface GitHubPlace {
  readonly owner: string
  readonly repo: string
  readonly apiUrl: string
  /** Of the repository: below it GitHub serves what was released. */
  readonly webUrl: string
  readonly token: string | undefined
  /** The variables that a token is looked for in, in this order. */
  readonly tokenNames: readonly string[]
}

const GITHUB_API = 'https://api.github.com'
const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/

/** @throws MoultError ERR_CONFIG_* */
export function placeOf(config: GitHubConfig, env: Environment): GitHubPlace {
  const named = config.repository ?? valueOf(env, 'GITHUB_REPOSITORY')
  const [repo = '', owner = '', host] = (named ?? '').split('/').toReversed()
  if (owner === '' || repo === '') {
    throw new MoultError('ERR_CONFIG_MISSING', 'no repository is named: publish.github.repository', {
      hint: 'Name it as owner/name, or set GITHUB_REPOSITORY.',
    })
  }
  const apiUrl = (config.apiUrl ?? apiOf(host, env)).replace(/\/+$/, '')
  const { protocol, hostname } = new URL(apiUrl)
  if (protocol !== 'https:' && !LOOPBACK.test(hostname)) {
    throw new MoultError('ERR_CONFIG_INVALID', `a token would be sent in the clear: ${apiUrl}`, {
      hint: 'Use an https URL for `publish.github.apiUrl`.',
    })
  }
  const tokenNames = tokenNamesOf(config, apiUrl, env)
  const token = tokenNames.map((name) => valueOf(env, name)).find((value) => value !== undefined)
  return { owner, repo, apiUrl, webUrl: `${webOf(apiUrl, env)}/${owner}/${repo}`, token, tokenNames }
}

function apiOf(host: string | undefined, env: Environment): string {
  const wanted = host ?? (valueOf(env, 'GITHUB_API_URL') === undefined ? valueOf(env, 'GH_HOST') : undefined)
  if (wanted === undefined) return valueOf(env, 'GITHUB_API_URL') ?? GITHUB_API
  if (wanted === 'github.com') return GITHUB_API
  return wanted.endsWith('.ghe.com') ? `https://api.${wanted}` : `https://${wanted}/api/v3`
}

function webOf(apiUrl: string, env: Environment): string {
  const { origin, protocol, host } = new URL(apiUrl)
  if (apiUrl === valueOf(env, 'GITHUB_API_URL')) return valueOf(env, 'GITHUB_SERVER_URL') ?? origin
  const isSubdomain = host === 'api.github.com' || (host.startsWith('api.') && host.endsWith('.ghe.com'))
  return isSubdomain ? `${protocol}//${host.slice('api.'.length)}` : origin
}

/** A token of github.com is never sent to another host, unless a run of Actions there has set it. */
function tokenNamesOf({ tokenEnv }: GitHubConfig, apiUrl: string, env: Environment): readonly string[] {
  if (tokenEnv !== undefined) return [tokenEnv]
  const { hostname } = new URL(apiUrl)
  if (hostname === 'api.github.com' || hostname.endsWith('.ghe.com')) return ['GH_TOKEN', 'GITHUB_TOKEN']
  const enterprise = ['GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN']
  return apiUrl === valueOf(env, 'GITHUB_API_URL') ? [...enterprise, 'GITHUB_TOKEN'] : enterprise
}

function valueOf(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}
