import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMoultError } from '../../../manifests/errors.ts'
import { signMachO } from '../../../release/build/mach-o-signature.ts'
import { verifyMachOSignature } from './mach-o-verifier.ts'
import { elf, machO } from './synthetic-executables.ts'

const ARM64 = 0x0100000c
const AMD64 = 0x01000007

for (const [name, cpu, page] of [
  ['arm64', ARM64, 0x4000],
  ['amd64', AMD64, 0x1000],
] as const) {
  test(`an ad-hoc signature covers every page of a file for ${name}`, () => {
    const signed = signMachO(machO(cpu), 'agent')
    const { linkEdit, ...signature } = verifyMachOSignature(signed)
    assert.deepEqual(signature, { identifier: 'agent', flags: 0x2, pages: 9, slots: [0, 2, 0x10000] })
    assert.equal(linkEdit.memorySize % page, 0)
  })
}

test('files whose size is just at, before and after a page border are covered', () => {
  for (const linkEditSize of [16, 4080, 4081, 4095, 4096, 4097]) {
    verifyMachOSignature(signMachO(machO(ARM64, { linkEditSize }), 'agent'))
  }
})

test('signing again replaces the signature: same bytes for the same name, a valid file for another', () => {
  const signed = signMachO(machO(ARM64, { linkEditSize: 1232 }), 'agent')
  assert.deepEqual(signMachO(signed, 'agent'), signed)
  assert.equal(verifyMachOSignature(signMachO(signed, 'another name: ä')).identifier, 'another name: ä')
})

test('the given bytes stay as they are', () => {
  const file = machO(ARM64)
  signMachO(file, 'agent')
  assert.deepEqual(file, machO(ARM64))
})

test('the verifier notices one changed bit anywhere in the code, the load commands or the requirements', () => {
  const signed = signMachO(machO(ARM64), 'agent')
  const codeEnd = 0x8000 + 1234
  for (const offset of [24, 200, 0x1000, 0x7fff, codeEnd - 1, signed.length - 8 - 1]) {
    const tampered = Buffer.from(signed)
    tampered[offset] = (tampered[offset] ?? 0) ^ 1
    assert.throws(() => verifyMachOSignature(tampered), { name: 'AssertionError' }, `offset ${offset}`)
  }
})

test('a file without room for a load command, with trailing bytes or of another format is refused', () => {
  const faults: Array<[reason: RegExp, file: Buffer]> = [
    [/no room/, machO(ARM64, { firstSection: 32 + 72 + 152 + 72 + 8 })],
    [/bytes follow/, Buffer.concat([machO(ARM64), Buffer.alloc(1)])],
    [/not a 64-bit Mach-O/, elf(0x3e)],
    [/run past the end/, machO(ARM64).subarray(0, 100)],
  ]
  for (const [reason, file] of faults) {
    assert.throws(
      () => signMachO(file, 'agent'),
      (error) => isMoultError(error) && error.code === 'ERR_BUILD_FAILED' && reason.test(error.message),
      String(reason),
    )
  }
  signMachO(machO(ARM64, { firstSection: 32 + 72 + 152 + 72 + 16 }), 'agent')
})
