import type { ReleaseResult } from '../release/index.ts'
import { formatSize } from './print-result.ts'

/** What was done, for people: a heading, a line a file in the order of writing, the rollout. */
export function describeRelease(result: ReleaseResult): string[] {
  const { kind, name, version, channel, target, rollout, files, hooks } = result
  const what = `${name} ${version} on ${channel}`
  const heading = {
    published: `Published ${what} to ${target}`,
    planned: `Plan for ${what} to ${target}: nothing was published`,
    prepared: `Released ${what} to ${target}; nobody gets it before \`moult rollout set ${version}\``,
    unchanged: `Already live: ${what} in ${target}; its rollout was left as it is`,
  }[kind]
  const width = Math.max(...files.map(({ path }) => path.length))
  return [
    heading,
    ...files.map(
      ({ path, size, action }) => `  ${action.padEnd(5)} ${path.padEnd(width)}  ${formatSize(size).padStart(9)}`,
    ),
    ...hooksText(hooks),
    ...rolloutText(rollout),
  ]
}

function rolloutText(rollout: ReleaseResult['rollout']): string[] {
  if (rollout === undefined) return []
  const { sequence, stages, expires, spread, poll, paused, rules = [], flags = [], fallback, rollback } = rollout
  return [
    `Sequence ${sequence}, ${stagesText(stages)}, good until ${expires}`,
    ...(paused === true ? ['Paused: nobody installs it before `moult rollout resume`'] : []),
    ...(spread === undefined ? [] : [`Each stage is spread over ${spread}`]),
    ...(poll === undefined ? [] : [`Agents poll every ${poll}`]),
    ...(rollback === undefined ? [] : [`These go back to it: ${rollback.join(', ')}`]),
    ...(fallback === undefined ? [] : [`Held-back agents are offered ${fallback}`]),
    ...rules.map((rule) => `Rule: ${rule}`),
    ...flags.map((flag) => `Flag: ${flag}`),
  ]
}

/** What agents run at the update, by platform. */
export function hooksText(hooks: ReleaseResult['hooks'] = {}): string[] {
  return Object.entries(hooks).map(([platform, paths]) => {
    const named = Object.entries(paths).map(([hook, path]) => `${hook} ${path}`)
    return `  hooks ${platform}: ${named.join(', ')}`
  })
}

function stagesText(stages: NonNullable<ReleaseResult['rollout']>['stages']): string {
  const [only, ...more] = stages
  return only !== undefined && more.length === 0 && Date.parse(only.at) <= Date.now()
    ? `${only.percent} % at once`
    : stages.map(({ at, percent }) => `${percent} % from ${at}`).join(', ')
}
