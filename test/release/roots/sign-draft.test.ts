import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'

import { type JsonObject, readRoot, type Root } from '../../../manifests/index.ts'
import { documentBytes } from '../../../release/document-bytes.ts'
import { editRoot, nextRoot } from '../../../release/roots/edit-root.ts'
import { reviewDraft, signDraft, verifyDraft, withoutIdleSignatures } from '../../../release/roots/sign-draft.ts'
import { failsWith, temporaryFolder } from '../project-fixture.ts'
import { idOf, keyOf, NOW_MS, PLAIN, signedBy, signer } from './root-fixture.ts'

const deps = { now: () => NOW_MS }
/** Root 2: `a` goes, `d` comes. */
const NEXT = editRoot(nextRoot(PLAIN), [
  { kind: 'remove', role: 'root', id: idOf('a') },
  { kind: 'add', role: 'root', key: keyOf('d') },
])

async function folder(t: TestContext, draft: Root, previous: Root | undefined = undefined) {
  const dir = join(await temporaryFolder(t), 'trust')
  await mkdir(dir)
  const file = join(dir, 'draft.root.json')
  await writeFile(file, documentBytes(draft.document))
  const root = previous ?? (await signedBy(PLAIN, 'a', 'b'))
  await writeFile(join(dir, '1.root.json'), documentBytes(root.document))
  const sign = async (...labels: string[]): Promise<string[]> => {
    const kinds: string[] = []
    for (const label of labels)
      kinds.push((await signDraft(await reviewDraft({ file }, deps), signer(label), deps)).kind)
    return kinds
  }
  return { dir, file, sign, verify: () => verifyDraft({ file }, deps) }
}

test('two old and two new root keys complete a draft; each missing one is told', async (t) => {
  const { sign, verify, dir } = await folder(t, NEXT)
  await assert.rejects(
    verify(),
    failsWith('ERR_TRUST_UNSIGNED', /2 more of the root keys of root 1, and 2 more .* root 2$/),
  )
  await sign('a')
  await assert.rejects(verify(), failsWith('ERR_TRUST_THRESHOLD', /1 more of the root keys of root 1, and 2 more/))
  await sign('b')
  await assert.rejects(verify(), failsWith('ERR_TRUST_THRESHOLD', /root 2 needs 1 more of the root keys of root 2$/))
  await sign('d')
  const { requirements, isComplete } = await verify()
  assert.ok(isComplete)
  assert.deepEqual(
    requirements.map(({ root, signed }) => [root, signed]),
    [
      [1, [idOf('a'), idOf('b')]],
      [2, [idOf('b'), idOf('d')]],
    ],
  )
  assert.deepEqual(await readdir(dir), ['1.root.json', 'draft.root.json'])
})

test('to sign twice changes nothing', async (t) => {
  const { sign, file } = await folder(t, NEXT)
  assert.deepEqual(await sign('a'), ['signed'])
  const before = await readFile(file)
  assert.deepEqual(await sign('a'), ['unchanged'])
  assert.deepEqual(await readFile(file), before)
})

test('a bad signature by a key is replaced by its good one', async (t) => {
  const stale = await signedBy(nextRoot(PLAIN), 'a')
  const { sign, file } = await folder(t, readRoot({ ...NEXT.document, signatures: stale.document['signatures'] ?? [] }))
  assert.deepEqual(await sign('a'), ['signed'])
  const { signatures } = JSON.parse(await readFile(file, 'utf8')) as { signatures: unknown[] }
  assert.equal(signatures.length, 1)
})

test('a key that plays no root role before or after is refused, and the draft stays as it is', async (t) => {
  const { sign, file } = await folder(t, NEXT)
  const before = await readFile(file)
  for (const label of ['release', 'rollout', 'stranger'])
    await assert.rejects(sign(label), failsWith('ERR_CONFIG_KEY', /not a root key, before or after/))
  assert.deepEqual(await readFile(file), before)
})

test('a draft is told against the root before it, which has to be there and to fit', async (t) => {
  const { file } = await folder(t, nextRoot(NEXT))
  await assert.rejects(reviewDraft({ file }, deps), failsWith('ERR_CONFIG_MISSING', /root 2 is not here/))
  const renamed = readRoot({ ...NEXT.document, name: 'other' })
  const other = await folder(t, renamed)
  await assert.rejects(reviewDraft({ file: other.file }, deps), failsWith('ERR_TRUST_ROOT', /is for other instead of/))
  const old = await folder(t, PLAIN)
  await assert.rejects(reviewDraft({ file: old.file }, deps), failsWith('ERR_TRUST_ROOT', /root 1 exists/))
})

test('the root before it is checked itself, and can lie elsewhere', async (t) => {
  const forged = await folder(t, NEXT, await signedBy(PLAIN, 'a'))
  await assert.rejects(reviewDraft({ file: forged.file }, deps), failsWith('ERR_TRUST_THRESHOLD'))
  const own = await folder(t, NEXT)
  const { review } = await reviewDraft({ file: forged.file, previous: join(own.dir, '1.root.json') }, deps)
  assert.deepEqual(review.changes, [
    { kind: 'key-removed', role: 'root', key: idOf('a') },
    { kind: 'key-added', role: 'root', key: idOf('d') },
  ])
})

test('a signature that another person put in meanwhile is not overwritten', async (t) => {
  const { file, sign } = await folder(t, NEXT)
  const seen = await reviewDraft({ file }, deps)
  await sign('b')
  const before = await readFile(file)
  await assert.rejects(signDraft(seen, signer('a'), deps), failsWith('ERR_USAGE_EXISTS', /changed by somebody else/))
  assert.deepEqual(await readFile(file), before)
})

test('a draft that has expired is not complete, whoever signed it', async (t) => {
  const late = editRoot(NEXT, [{ kind: 'expires', at: '2026-11-21T00:00:00Z' }])
  const { sign, verify } = await folder(t, late)
  await sign('a', 'b', 'd')
  await assert.rejects(verify(), failsWith('ERR_TRUST_ROOT_EXPIRED'))
})

test('signatures that count for nothing do not travel to agents', async () => {
  const good = await signedBy(NEXT, 'a', 'b', 'd', 'stranger')
  const entries = good.document['signatures'] as JsonObject[]
  const noisy = readRoot({
    ...good.document,
    signatures: [...entries, entries[0] ?? {}, { key: idOf('c'), sig: 'x' }, 7],
  })
  const kept = withoutIdleSignatures(noisy, PLAIN).document['signatures'] as JsonObject[]
  assert.deepEqual(
    kept.map(({ key }) => key),
    [idOf('a'), idOf('b'), idOf('d')],
  )
})
