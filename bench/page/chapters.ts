// The figures as chapters of the page: what each is about, which columns it must have, and its picture.

import { CODEC_NAMES } from '../lab/codecs.ts'
import type { Cell, FigureResult, Table } from '../lab/figure.ts'
import type { Spread } from '../lab/spread.ts'
import { type Bar, drawBars } from './bar-chart.ts'
import { drawDots } from './dot-plot.ts'

export interface Chapter {
  readonly figure: string
  readonly title: string
  readonly prose: string
  /** Of each table. */
  readonly columns: readonly (readonly string[])[]
  draw(result: FigureResult): string
}

const SERVER_COLUMNS = ['server', 'perSecond', 'cpu', 'ratio', 'peak']

export const CHAPTERS: readonly Chapter[] = [
  {
    figure: 'update-bytes',
    title: 'How many bytes an update is',
    prose: `Pairs of real programs as their makers published them (p: a patch release, m: a minor one), fetched by name and version.
Every patch is applied and what comes out compared with the new file. *Block map* is what electron-updater would fetch, by
electron-builder's own block maps, compressed by zstd at that, which no server does with ranges; bsdiff is what
minio/selfupdate applies, and zstd's patch what Velopack ships. Making and applying is processor time of whole processes, start and
reading included; Moult's also hashes what it writes.`,
    columns: [
      ['pair', 'what', 'size', ...CODEC_NAMES],
      ['pair', ...CODEC_NAMES.slice(1)],
      ['pair', ...CODEC_NAMES],
      ['pair', ...CODEC_NAMES],
    ],
    draw: (result) => {
      const table = tableAt(result, 0)
      const drawn = CODEC_NAMES.filter((name) => name !== 'brotli 9' && name !== 'zstd 19')
      const rows = table.rows.map((row) => ({
        name: textOf(row['pair']),
        values: drawn.map((name) => {
          const [bytes, size] = [row[name], row['size']]
          return typeof bytes === 'number' && typeof size === 'number' ? (bytes / size) * 100 : undefined
        }),
      }))
      return drawDots('Bytes of an update', '% of the new file', drawn, rows)
    },
  },
  {
    figure: 'release-time',
    title: 'What a release costs',
    prose: `Four platforms, already built (build type \`files\`), published into a folder. The floor is to hash and to copy the same files, with
\`sha256sum\` and \`cp\`. A release copies and hashes what was built, compresses it, signs, publishes, reads everything back and
verifies it. Ratios are of the same round.`,
    columns: [['way', 'wall', 'ratio', 'cpu', 'memory', 'bytes']],
    draw: (result) =>
      drawBars('A release of four platforms', [
        { label: 'seconds', bars: barsOf(tableAt(result, 0), 'way', 'wall') },
        { label: 'MB of memory at most', bars: barsOf(tableAt(result, 0), 'way', 'memory') },
      ]),
  },
  {
    figure: 'poll',
    title: 'What a poll costs',
    prose: `A process that looks for an update again and again and finds none, against the same server.`,
    columns: [
      ['process', 'up', 'down', 'wireRatio', 'cpu', 'cpuRatio', 'rss', 'above', 'anonymous'],
      ['process', 'cpu', 'wall', 'peak'],
    ],
    draw: (result) =>
      drawBars('A poll that finds nothing new', [
        { label: 'bytes down', bars: barsOf(tableAt(result, 0), 'process', 'down') },
        { label: 'processor ms', bars: barsOf(tableAt(result, 0), 'process', 'cpu') },
        { label: 'MB above a bare Node process', bars: barsOf(tableAt(result, 0), 'process', 'above') },
      ]),
  },
  {
    figure: 'publish-to-running',
    title: 'From published to running',
    prose: `The time from the moment the agent has asked for the new manifest until the new version answers HTTP: the example agent
(\`examples/heartbeat-agent\`), started by its launcher. The wait for the next poll is left out.`,
    columns: [['way', 'bytes', 'fetched', 'serving', 'ratio']],
    draw: (result) =>
      drawBars(
        'From published to running',
        result.tables.map((table) => ({
          label: `ms until the new version serves: ${table.title}`,
          bars: barsOf(table, 'way', 'serving', /./),
        })),
      ),
  },
  {
    figure: 'static-servers',
    title: 'The local server',
    prose: `\`moult serve\` beside servers that one would put before a real fleet, under the same load.`,
    columns: [SERVER_COLUMNS, SERVER_COLUMNS, SERVER_COLUMNS],
    draw: (result) =>
      drawBars(
        'Processor time of the server',
        result.tables.map((table) => ({
          label: `${table.title}: ${table.columns.find(({ key }) => key === 'cpu')?.head ?? ''}`,
          bars: barsOf(table, 'server', 'cpu'),
        })),
      ),
  },
  {
    figure: 'apply-memory',
    title: 'What an update costs the agent',
    prose: `The largest memory of the process that takes an update, and how long its event loop waited, with a real program of 124 MB.`,
    columns: [['process', 'peak', 'above', 'seconds', 'speed', 'late', 'latest']],
    draw: (result) =>
      drawBars('Taking an update', [
        { label: 'MB above a bare Node process', bars: barsOf(tableAt(result, 0), 'process', 'above', /agent|codec/) },
      ]),
  },
  {
    figure: 'left-out',
    title: 'What an agent does not load',
    prose: `Nearly always an agent only polls. What it needs for that and no more is loaded; everything flows through it in pieces.`,
    columns: [['part', 'saved', 'instead']],
    draw: (result) =>
      drawBars('Memory that an agent goes without', [
        { label: 'MB', bars: barsOf(tableAt(result, 0), 'part', 'saved', /./) },
      ]),
  },
]

function tableAt({ figure, tables }: FigureResult, index: number): Table {
  const table = tables[index]
  if (table === undefined) throw new Error(`${figure} has no table ${index}`)
  return table
}

/** Rows without a number, as what is not installed, are left out. */
function barsOf(table: Table, nameKey: string, key: string, own = /moult/i): Bar[] {
  return table.rows.flatMap((row): Bar[] => {
    const [name, value] = [textOf(row[nameKey]), row[key]]
    if (!isNumber(value)) return []
    return [{ name: name.replaceAll('`', ''), value, isOwn: own.test(name) }]
  })
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === 'string' ? cell : ''
}

function isNumber(cell: Cell | undefined): cell is number | Spread {
  return typeof cell === 'number' || typeof cell === 'object'
}
