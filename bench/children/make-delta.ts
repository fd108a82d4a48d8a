// node make-delta.mjs <old> <new> <patch>

import { readFileSync, writeFileSync } from 'node:fs'

import { createPatch } from '../../delta/index.ts'

const [old = '', fresh = '', patch = ''] = process.argv.slice(2)
writeFileSync(patch, createPatch(readFileSync(old), readFileSync(fresh)))
