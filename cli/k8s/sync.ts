import { resolve } from 'node:path'
import type { Command } from 'commander'

import type { StatePlace, SyncedWorkload, SyncResult } from '../../kubernetes/index.ts'
import { ERROR_CODES, isVersion, MoultError, PLATFORM_PATTERN } from '../../manifests/index.ts'
import { depsFor, homeOf, overridesOf } from '../agent/home-options.ts'
import { printResult } from '../print-result.ts'
import { runCommand } from '../run-command.ts'

interface Options {
  workload: string[]
  container?: string
  namespace?: string
  context?: string
  running?: string
  platform?: string
  state?: string
  config?: string
  home?: string
  server?: string
  channel?: string
  root?: string
  id?: string
  plan?: boolean
  json?: boolean
}

export function registerK8sSync(k8s: Command): void {
  k8s
    .command('sync')
    .description(
      'poll once, and set the image of the release where it may be installed; Kubernetes rolls it out. Exit status 24 when what is offered is refused',
    )
    .requiredOption('--workload <kind/name...>', 'e.g. deployment/web; also statefulset and daemonset')
    .option('--container <name>', 'whose image is set; default: the only one')
    .option('--namespace <name>', 'default: of the kubeconfig or of the pod')
    .option('--context <name>', 'of the kubeconfig')
    .option('--state <configmap>', 'what is remembered between runs, in a ConfigMap that exists')
    .option('--config <file>', 'with --state: an agent.json with the server, windows and percent')
    .option('--home <dir>', 'instead of --state: a directory that lasts; default: MOULT_HOME')
    .option('--root <file>', 'the root document that is pinned; default: of the settings')
    .option('--server <url>', 'update server; default: of the settings')
    .option('--channel <name>', 'line of releases; default: of the settings')
    .option('--id <text>', 'id of this cluster for rollouts; default: of the ConfigMap')
    .option('--running <version>', 'what runs, where the workload does not tell it')
    .option('--platform <os-arch>', 'of the nodes; default: linux, with the processor of this machine')
    .option('--plan', 'say what would be done; changes nothing')
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, (signal) => runSync(options, signal)))
}

async function runSync(options: Options, signal: AbortSignal): Promise<number> {
  const { openCluster, parseWorkloadName, syncImages } = await import('../../kubernetes/index.ts')
  const { container, namespace, context, running, platform, plan = false, root, id } = options
  const workloads = options.workload.map(parseWorkloadName)
  const wanted = {
    workloads,
    container,
    running: checked('--running', running, isVersion, 'a version such as 1.4.2'),
    platform: checked('--platform', platform, (text) => PLATFORM_PATTERN.test(text), 'a platform such as linux-amd64'),
    place: placeOf(options),
    overrides: {
      ...overridesOf(options),
      ...(root === undefined ? {} : { root: resolve(root) }),
      ...(id === undefined ? {} : { id }),
    },
    env: process.env,
    isPlan: plan,
  }
  const cluster = await openCluster({ context, namespace, signal })
  const result = await syncImages(wanted, cluster, await depsFor(false, signal))
  printResult(options.json, result, linesOf(result))
  return result.workloads.some(({ action }) => action === 'refuse') ? ERROR_CODES.ERR_POLICY_REFUSED.exit : 0
}

function placeOf({ state, config, home, root }: Options): StatePlace {
  if (state === undefined) {
    if (config !== undefined)
      throw new MoultError('ERR_USAGE_INVALID', '--config: expected --state beside it; a home has its own agent.json')
    return { kind: 'home', path: homeOf(home === undefined ? {} : { home }) }
  }
  if (home !== undefined) throw new MoultError('ERR_USAGE_INVALID', '--state: expected no --home beside it')
  if (root === undefined) {
    throw new MoultError('ERR_USAGE_INVALID', '--state: expected --root beside it, got none', {
      hint: 'Mount trust/1.root.json of the project into the pod: it is what every signature is checked against.',
    })
  }
  return { kind: 'config-map', name: state, config }
}

function checked(
  option: string,
  text: string | undefined,
  isGood: (text: string) => boolean,
  expected: string,
): string | undefined {
  if (text === undefined || isGood(text)) return text
  throw new MoultError('ERR_USAGE_INVALID', `${option}: expected ${expected}, got ${JSON.stringify(text)}`)
}

function linesOf({ name, channel, offered, sequence, kind, workloads }: SyncResult): string[] {
  const heading = `${name} ${offered} on ${channel}, sequence ${sequence}${kind === 'planned' ? '; a plan, nothing is changed' : ''}`
  return [heading, ...workloads.map(lineOf)]
}

function lineOf({ workload, container, running, action, image, reason, until }: SyncedWorkload): string {
  const text = {
    set: `from ${running} to ${image} (${reason})`,
    keep: `keeps ${running}`,
    wait: `waits with ${running}: ${reason}${until === undefined ? '' : ` until ${until}`}`,
    refuse: `stays at ${running}, refused: ${reason}`,
  }[action]
  return `  ${workload} ${container}: ${text}`
}
