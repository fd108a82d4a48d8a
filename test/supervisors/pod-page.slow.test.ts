import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Scene } from '../helpers/moult.ts'
import { layOutImage } from './container-image.ts'
import { openBuilder } from './page-builder.ts'
import { readBlocks, runBlock } from './page-commands.ts'
import { importImage, openPodman } from './podman.ts'
import { missingPart } from './supervisor.ts'

/** What the page's image begins with; here it is made of programs of this machine. */
const BASE = 'localhost/node:20-slim'

test(
  'docs/pod.md can be followed: its commands build an image, and update and roll back the agent of a pod',
  { skip: missingPart('podman', 'runc', 'jq'), timeout: 600_000 },
  async () => {
    const [checkout, project] = readBlocks('service.md')
    assert.match(project?.commands ?? '', /moult init/)
    const blocks = readBlocks('pod.md')
    assert.ok(blocks.length >= 8)
    const scene = new Scene('pod page')
    scene.folder('shells')
    const podman = openPodman(scene)
    try {
      await importImage(scene, podman, await layOutImage(scene), BASE)
      const { shell } = await openBuilder(scene, checkout, podman.env)
      for (const block of [...(project === undefined ? [] : [project]), ...blocks]) {
        assert.equal(block.where, 'builder')
        await runBlock(block, shell)
      }
    } finally {
      await podman.close()
      await scene.close()
    }
  },
)
