import type { Command } from 'commander'

import { registerKeysEncrypt } from './keys/encrypt.ts'
import { registerKeysNew } from './keys/new.ts'
import { registerKeysPublic } from './keys/public.ts'

export function registerKeysCommands(program: Command): void {
  const keys = program.command('keys').description('key files: make, encrypt, and show their public half')
  registerKeysNew(keys)
  registerKeysPublic(keys)
  registerKeysEncrypt(keys)
}
