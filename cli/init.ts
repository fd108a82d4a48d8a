import { type Command, Option } from 'commander'

import { printResult } from './print-result.ts'
import { runCommand } from './run-command.ts'

interface Options {
  name?: string
  dir?: string
  agent?: string
  type?: 'command' | 'files' | 'script' | 'node' | 'directory'
  json?: boolean
}

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('begin a project: configuration, key and root; overwrites nothing')
    .option('--name <name>', 'name of the agent (default: from package.json, or the folder)')
    .option('--dir <folder>', 'where to begin (default: the working directory)')
    .option('--agent <path>', 'the agent: source of a script, or the file or program that is built')
    .addOption(
      new Option('--type <type>', 'how it is built').choices(['command', 'files', 'script', 'node', 'directory']),
    )
    .option('--json', 'print one JSON object')
    .action((options: Options) => runCommand(options, () => init(options)))
}

async function init(options: Options): Promise<void> {
  const { initProject } = await import('../release/index.ts')
  const result = await initProject(options)
  console.error('warning: one key plays every role; whoever has it can sign anything. Keep a copy of it offline.')
  if (result.missing !== undefined)
    console.error(`warning: the agent is not there yet: ${result.missing}; make it, or correct \`build\`.`)
  printResult(options.json, result, [
    `Project ${result.name}, build type ${result.type}:`,
    ...result.files.map((file) => `  ${file}`),
    `Next: check build in ${result.files[0]}, then run \`moult release 1.0.0\`.`,
  ])
}
