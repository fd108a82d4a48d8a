import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseContainerImage, parseImageReference } from '../../manifests/index.ts'

const DIGEST = `sha256:${'0a'.repeat(32)}`

test('an image by its digest is taken apart', () => {
  assert.deepEqual(parseContainerImage(`agent@${DIGEST}`), { repository: 'agent', digest: DIGEST })
  assert.deepEqual(parseContainerImage(`registry.example.com:5000/team/agent:1.4.2@${DIGEST}`), {
    repository: 'registry.example.com:5000/team/agent',
    tag: '1.4.2',
    digest: DIGEST,
  })
  assert.equal(
    parseContainerImage(`localhost:5000/a__b/c--d.e_f@${DIGEST}`)?.repository,
    'localhost:5000/a__b/c--d.e_f',
  )
})

test('what a tag alone decides is no image by its digest, and can still be read', () => {
  assert.equal(parseContainerImage('registry.example.com/agent:1.4.2'), undefined)
  assert.deepEqual(parseImageReference('registry.example.com/agent:1.4.2'), {
    repository: 'registry.example.com/agent',
    tag: '1.4.2',
    digest: undefined,
  })
  assert.equal(parseImageReference('host:5000/agent')?.tag, undefined)
})

for (const [name, text] of [
  ['nothing', ''],
  ['a digest that is short', `agent@${DIGEST.slice(0, -1)}`],
  ['a digest in upper case', `agent@sha256:${'0A'.repeat(32)}`],
  ['another algorithm', `agent@md5:${'0a'.repeat(16)}`],
  ['a repository in upper case', `registry.example.com/Agent@${DIGEST}`],
  ['a URL', `https://registry.example.com/agent@${DIGEST}`],
  ['a second line', `agent@${DIGEST}\nx`],
  ['a space', `agent @${DIGEST}`],
  ['a tag that is too long', `agent:${'x'.repeat(129)}@${DIGEST}`],
  ['a name without end', `${'a/'.repeat(400)}a@${DIGEST}`],
] as const) {
  test(`no image: ${name}`, () => {
    assert.equal(parseContainerImage(text), undefined)
  })
}
