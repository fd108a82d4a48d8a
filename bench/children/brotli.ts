// node brotli.mjs <quality> <file> <out>, or node brotli.mjs unpack <file> <out>

import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib'

const WINDOW_BITS = 24

const [what = '', file = '', out = ''] = process.argv.slice(2)
const params = {
  [constants.BROTLI_PARAM_QUALITY]: Number(what),
  [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
  [constants.BROTLI_PARAM_SIZE_HINT]: statSync(file).size,
}
const codec = what === 'unpack' ? createBrotliDecompress() : createBrotliCompress({ params })
await pipeline(createReadStream(file), codec, createWriteStream(out))
