// node apply-delta.mjs <old> <patch> <out> <size>: as an agent does it, in pieces and hashing, and the event loop turns between
// two pieces. It says nothing; bench/children/watch-itself.ts does.

import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

import { applyPatch, type ByteSource } from '../../delta/index.ts'

const [old = '', patch = '', out = '', size = '0'] = process.argv.slice(2)
const fd = openSync(out, 'w')
const hash = createHash('sha256')
for (const piece of applyPatch(openSource(old), openSource(patch), Number(size))) {
  hash.update(piece)
  for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at)
  await turn()
}
hash.digest()
closeSync(fd)

function openSource(path: string): ByteSource {
  const source = openSync(path, 'r')
  return {
    length: fstatSync(source).size,
    read: (target, position) => void readSync(source, target, 0, target.length, position),
  }
}
