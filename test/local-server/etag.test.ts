import assert from 'node:assert/strict'
import { appendFile, open, rename, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { createEtagCache, TIMESTAMP_TICK_MS, type EtagDeps } from '../../local-server/etag.ts'
import { makeDir } from './site.ts'

const LATER = () => Date.now() + 10 * TIMESTAMP_TICK_MS

async function makeFile(t: TestContext, content: string) {
  const path = join(await makeDir(t), 'file')
  await writeFile(path, content)
  const handle = await open(path)
  t.after(() => handle.close())
  return { path, handle }
}

function countHashes(deps: Pick<EtagDeps, 'clock'> = {}) {
  const seen = { hashes: 0 }
  const hash = async (handle: FileHandle) => {
    seen.hashes++
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(100), 0, 100, 0)
    return `digest of ${buffer.toString('utf8', 0, bytesRead)}`
  }
  return { seen, cache: createEtagCache({ ...deps, hash }) }
}

test('the ETag is the quoted SHA-256 of the content', async (t) => {
  const { path, handle } = await makeFile(t, 'abc')
  const hashed = await createEtagCache().etagOfFile(path, handle)
  assert.equal(hashed?.etag, '"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"')
  assert.equal(hashed.size, 3)
})

test('an unchanged file is hashed once', async (t) => {
  const { path, handle } = await makeFile(t, 'one')
  const { cache, seen } = countHashes({ clock: LATER })
  const first = await cache.etagOfFile(path, handle)
  assert.equal((await cache.etagOfFile(path, handle))?.etag, first?.etag)
  assert.equal(seen.hashes, 1)
})

test('requests at the same time hash once', async (t) => {
  const { path, handle } = await makeFile(t, 'one')
  const { cache, seen } = countHashes({ clock: LATER })
  await Promise.all(Array.from({ length: 20 }, () => cache.etagOfFile(path, handle)))
  assert.equal(seen.hashes, 1)
})

test('a file younger than a tick of its clock is hashed anew, as a second write may look like the first', async (t) => {
  const { path, handle } = await makeFile(t, 'one')
  const { cache, seen } = countHashes()
  await cache.etagOfFile(path, handle)
  await cache.etagOfFile(path, handle)
  assert.equal(seen.hashes, 2)
})

test('a replaced file is hashed anew', async (t) => {
  const { path, handle } = await makeFile(t, 'one')
  const { cache } = countHashes({ clock: LATER })
  await cache.etagOfFile(path, handle)
  await writeFile(`${path}.next`, 'two')
  await rename(`${path}.next`, path)
  const next = await open(path)
  t.after(() => next.close())
  assert.equal((await cache.etagOfFile(path, next))?.etag, '"digest of two"')
  // Who still holds the old file gets the ETag of the old file.
  assert.equal((await cache.etagOfFile(path, handle))?.etag, '"digest of one"')
})

test('a file written while it is hashed is hashed again, and given up when it never holds still', async (t) => {
  const { path, handle } = await makeFile(t, '')
  let writes = 1
  const hash = async () => {
    if (writes-- > 0) await appendFile(path, 'x')
    return `writes left: ${writes}`
  }
  const cache = createEtagCache({ clock: LATER, hash })
  assert.equal((await cache.etagOfFile(path, handle))?.etag, '"writes left: -1"')
  writes = Number.POSITIVE_INFINITY
  await appendFile(path, 'x')
  assert.equal(await cache.etagOfFile(path, handle), undefined)
})

test('a failed hash is not remembered', async (t) => {
  const { path, handle } = await makeFile(t, 'one')
  let fails = true
  const hash = async () => {
    if (fails) throw new Error('EIO')
    return 'fine'
  }
  const cache = createEtagCache({ clock: LATER, hash })
  await assert.rejects(cache.etagOfFile(path, handle), /EIO/)
  fails = false
  assert.equal((await cache.etagOfFile(path, handle))?.etag, '"fine"')
})
