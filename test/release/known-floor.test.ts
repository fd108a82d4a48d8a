import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { type JsonObject, type Root, ROLLOUT_UNSIGNED } from '../../manifests/index.ts'
import { documentBytes } from '../../release/document-bytes.ts'
import { diagnose, type VerifyOptions, verifyPublished, type VerifyResult } from '../../release/index.ts'
import { signDocument } from '../../release/sign.ts'
import { failsWith } from './project-fixture.ts'
import { makeSplitProject, SIGNERS } from './split-project.ts'

interface Scene {
  readonly manifest: string
  readonly memory: string
  readonly root: Root
  readonly set: (percent: number, now?: number) => Promise<unknown>
  readonly check: (options?: Partial<VerifyOptions>, now?: number) => Promise<VerifyResult>
}

async function makeScene(t: TestContext): Promise<Scene> {
  const { dir, updates, root, release, rollout } = await makeSplitProject(t)
  await release('1.0.0', { rollout: false })
  await rollout.set({ version: '1.0.0', percent: 5 })
  return {
    manifest: join(updates, 'version.json'),
    memory: join(dir, 'seen/stable.json'),
    root,
    set: (percent, now = Date.now()) => rollout.set({ version: '1.0.0', percent }, { now: () => now }),
    check: (options, now = Date.now()) => verifyPublished({ place: updates, root, ...options }, { now: () => now }),
  }
}

test('case 21: an older copy is refused by who knows a newer one, by its sequence, its floor or its memory', async (t) => {
  const { manifest, memory, root, set, check } = await makeScene(t)
  const old = await readFile(manifest)
  await set(10)
  const newer = await readFile(manifest)
  await check({ remember: memory })
  await writeFile(manifest, old)
  assert.equal((await check()).sequence, 1, 'a newcomer cannot know')
  for (const options of [{ remember: memory }, { known: { root, sequence: 2 } }]) {
    await assert.rejects(check(options), (error: unknown) => {
      assert.equal(diagnose(error as never)?.finding, 'stale')
      return failsWith('ERR_TRUST_REPLAY')(error)
    })
  }
  await writeFile(manifest, newer)
  assert.equal((await check({ remember: memory, known: { root, sequence: 2 } })).sequence, 2)
})

test('a sequence of at least n takes n itself, and more', async (t) => {
  const { root, set, check } = await makeScene(t)
  assert.equal((await check({ known: { root, sequence: 1 } })).sequence, 1)
  await set(10)
  assert.equal((await check({ known: { root, sequence: 1 } })).sequence, 2)
})

test('an old copy that has also expired is old first: the newer one may not have', async (t) => {
  const { root, check } = await makeScene(t)
  const late = Date.now() + 91 * 24 * 3_600_000
  await assert.rejects(check({}, late), failsWith('ERR_TRUST_EXPIRED'))
  await assert.rejects(check({ known: { root, sequence: 2 } }, late), failsWith('ERR_TRUST_REPLAY'))
})

test('case 22: another statement with the sequence that was seen is hostile, and the memory keeps the first', async (t) => {
  const { manifest, memory, check } = await makeScene(t)
  await check({ remember: memory })
  const remembered = await readFile(memory)
  const { rollout, ...rest } = JSON.parse(await readFile(manifest, 'utf8')) as JsonObject & { rollout: JsonObject }
  const other = await signDocument({ ...rollout, paused: true }, ROLLOUT_UNSIGNED, [SIGNERS.rollout])
  await writeFile(manifest, documentBytes({ ...rest, rollout: other }))
  await assert.rejects(check({ remember: memory }), (error: unknown) => {
    assert.equal(diagnose(error as never)?.finding, 'hostile')
    return failsWith('ERR_TRUST_EQUIVOCATION')(error)
  })
  assert.deepEqual(await readFile(memory), remembered)
})

test('a memory of another project or channel, or none at all, is an error of the configuration', async (t) => {
  const { memory, check } = await makeScene(t)
  await check({ remember: memory })
  const text = await readFile(memory, 'utf8')
  for (const spoilt of [text.replace('"stable"', '"beta"'), text.replace('moult-seen/1', 'moult-seen/2'), '{', '']) {
    await writeFile(memory, spoilt)
    await assert.rejects(check({ remember: memory }), failsWith('ERR_CONFIG_INVALID', /earlier check remembered/))
  }
})

test('a statement with less than a quarter of its life left is warned about, and one with more is not', async (t) => {
  const { check } = await makeScene(t)
  const day = 24 * 3_600_000
  assert.deepEqual((await check({}, Date.now() + 66 * day)).warnings, [])
  const [warning] = (await check({}, Date.now() + 68 * day)).warnings
  assert.deepEqual([warning?.kind, warning?.what], ['expires-soon', 'rollout'])
})

test('a root that expires within three months is warned about', async (t) => {
  const { check, set } = await makeScene(t)
  const day = 24 * 3_600_000
  for (const [days, warnings] of [
    [274, []],
    [276, ['root']],
  ] as const) {
    const now = Date.now() + days * day
    await set(10, now)
    const found = (await check({}, now)).warnings
    assert.deepEqual(
      found.map(({ what }) => what),
      warnings,
    )
  }
})
