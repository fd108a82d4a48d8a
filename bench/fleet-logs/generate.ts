// Writes the logs of a made-up fleet.
//
//   npx tsx bench/fleet-logs/generate.ts --out DIR [--lines 1000000] [--agents 100000] [--seed 1] [--files 8]
//                                        [--format cloudfront] [--plain]

import { once } from 'node:events'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'

import { LOG_FORMATS } from '../../fleet/formats/log-line.ts'
import { formatLine, HEADINGS } from './format-lines.ts'
import { makeTraffic } from './traffic.ts'

const LINES_AT_ONCE = 500

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string' },
    lines: { type: 'string', default: '1000000' },
    agents: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    files: { type: 'string', default: '8' },
    format: { type: 'string', default: 'cloudfront' },
    plain: { type: 'boolean', default: false },
  },
})
const format = LOG_FORMATS.find((one) => one === flags.format)
if (flags.out === undefined || format === undefined) throw new Error('needs --out and a known --format')
mkdirSync(flags.out, { recursive: true })

const lines = Number(flags.lines)
const perFile = Math.ceil(lines / Number(flags.files))
const extension = flags.plain ? 'log' : 'gz'
let file = openFile(0)
let text = ''
let n = 0
for (const poll of makeTraffic({ lines, agents: Number(flags.agents), seed: Number(flags.seed) })) {
  if (n > 0 && n % perFile === 0) {
    await write()
    await file.close()
    file = openFile(n / perFile)
  }
  text += `${formatLine(format, poll, n)}\n`
  if (++n % LINES_AT_ONCE === 0) await write()
}
await write()
await file.close()

async function write(): Promise<void> {
  const part = text
  text = ''
  if (!file.stream.write(part)) await once(file.stream, 'drain')
}

function openFile(index: number) {
  const name = `E2EXAMPLE.2026-11-20-${String(index).padStart(2, '0')}.${String(index).padStart(8, '0')}.${extension}`
  const out = createWriteStream(join(flags.out ?? '', name))
  // As CloudFront's own files are: about a twelfth to a fifth of the text.
  const stream = flags.plain ? out : createGzip({ level: 6 })
  if (stream !== out) stream.pipe(out)
  stream.write(format === undefined ? '' : (HEADINGS[format] ?? ''))
  return {
    stream,
    close: async () => {
      stream.end()
      await finished(out)
    },
  }
}
