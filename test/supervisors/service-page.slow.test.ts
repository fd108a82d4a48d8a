import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Scene } from '../helpers/moult.ts'
import { openBuilder } from './page-builder.ts'
import { openShell, readBlocks, runBlock } from './page-commands.ts'
import { missingPart } from './supervisor.ts'
import { bootSystemd } from './systemd-container.ts'

test(
  'docs/service.md can be followed: its commands install, update, roll back and remove a systemd service',
  { skip: missingPart('systemd-nspawn', 'nsenter', 'unshare'), timeout: 600_000 },
  async () => {
    const [checkout, ...blocks] = readBlocks('service.md')
    assert.ok(blocks.length >= 10)
    const scene = new Scene('service page')
    const folder = scene.folder('machine')
    scene.folder('shells')
    const builder = await openBuilder(scene, checkout)
    const machine = await bootSystemd(scene, [folder, scene.path('shells'), builder.prefix])
    try {
      const inside = openShell(scene, 'machine', folder, (command, args) =>
        machine.run(command, args, { env: builder.env }),
      )
      const shells = {
        builder: builder.shell,
        machine: (commands: string) => inside(commands.replaceAll('8090', String(builder.port))),
      }
      for (const block of blocks) {
        assert.ok(block.where === 'builder' || block.where === 'machine', block.where)
        await runBlock(block, shells[block.where])
        // "Carry it to the machine by a way that you trust."
        if (block.commands.includes('moult init'))
          cpSync(join(scene.path('builder'), 'sensor', 'trust', '1.root.json'), join(folder, '1.root.json'))
      }
    } finally {
      await machine.close()
      await scene.close()
    }
  },
)
