import type { Command } from 'commander'

import { registerRootChanges } from './root/change.ts'
import { registerRootInit } from './root/init.ts'
import { registerRootPublish } from './root/publish.ts'
import { registerRootShow } from './root/show.ts'
import { registerRootSign } from './root/sign.ts'

export function registerRootCommands(program: Command): void {
  const root = program.command('root').description('who may sign what: the ceremonies, on files only')
  registerRootInit(root)
  registerRootShow(root)
  registerRootChanges(root)
  registerRootSign(root)
  registerRootPublish(root)
}
