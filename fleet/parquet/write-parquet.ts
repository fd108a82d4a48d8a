// Polls and events of agents as Parquet, for questions over months that a database answers. A row is a poll, or
// something that was told in one: `record` says which. The columns are those of sql/parquet-table.athena.sql.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Beacon } from '../../manifests/beacon.ts'
import { scanSource } from '../engine/scan-source.ts'
import { BatchWriter } from '../scan/batch.ts'
import { addCounts, emptyCounts, type LogCounts } from '../scan/log-counts.ts'
import type { ScanScope } from '../scan/scanner.ts'
import type { LogLine } from '../formats/log-line.ts'
import { findSources } from '../sources/find-sources.ts'
import { type Appender, type Connection, openDuckDb, quoteSql } from './duckdb.ts'

const TEXT_COLUMNS = ['record', 'id', 'name', 'version', 'platform', 'channel', 'state', 'error'] as const
const EVENT_COLUMNS = ['event_kind', 'event_version', 'event_detail'] as const
const TABLE = `CREATE TABLE records (time_ms BIGINT, status BIGINT, bytes BIGINT, event_n BIGINT,
  ${[...TEXT_COLUMNS, ...EVENT_COLUMNS].map((name) => `${name} VARCHAR`).join(', ')})`
/** Of a file; what is held in memory at a time. */
const ROWS_OF_PART = 500_000

export interface ParquetResult {
  readonly counts: LogCounts
  readonly rows: number
  /** In the order in which they were written. */
  readonly files: readonly string[]
}

/**
 * Writes `part-00001.parquet` and so on into a folder; files of these names are replaced.
 * @throws MoultError ERR_CONFIG_MISSING without `@duckdb/node-api`, and what `readLogs` throws
 */
export async function writeParquet(
  names: readonly string[],
  folder: string,
  options: ScanScope = {},
): Promise<ParquetResult> {
  const sources = await findSources(names, options)
  const writer = new PartWriter(await openDuckDb(), folder)
  try {
    await mkdir(folder, { recursive: true })
    await writer.begin()
    const counts = emptyCounts()
    const rows = new BatchWriter()
    const deliver = async (): Promise<void> => {
      rows.take()
      if (writer.isFull) await writer.finishPart()
    }
    for (const source of sources) {
      const onPoll = (line: LogLine, beacon: Beacon): void => writer.add(line, beacon)
      addCounts(counts, await scanSource(source, options, rows, deliver, onPoll))
    }
    await writer.finishPart()
    return { counts, rows: writer.rows, files: writer.files }
  } finally {
    writer.close()
  }
}

class PartWriter {
  readonly files: string[] = []
  rows = 0
  readonly #database: Connection
  readonly #folder: string
  #appender: Appender | undefined
  #rowsOfPart = 0

  constructor(database: Connection, folder: string) {
    this.#database = database
    this.#folder = folder
  }

  get isFull(): boolean {
    return this.#rowsOfPart >= ROWS_OF_PART
  }

  async begin(): Promise<void> {
    await this.#database.run(TABLE)
    this.#appender = await this.#database.createAppender('records')
  }

  add(line: LogLine, beacon: Beacon): void {
    this.#addRow('poll', line, beacon, undefined)
    for (const event of beacon.events) this.#addRow('event', line, beacon, event)
  }

  #addRow(record: string, line: LogLine, beacon: Beacon, event: Beacon['events'][number] | undefined): void {
    const appender = this.#appender
    if (appender === undefined) throw new Error('the writer is closed')
    const { id, name, version = 'none', platform, channel, state, error } = beacon
    // An event is told with a poll, which has its own row for the request.
    const isPoll = event === undefined
    const numbers = [line.timeMs, isPoll ? line.status : undefined, isPoll ? line.sentBytes : undefined, event?.n]
    for (const value of numbers) {
      if (value === undefined) appender.appendNull()
      else appender.appendBigInt(BigInt(Math.floor(value)))
    }
    const texts = [record, id, name, version, platform, channel, state, error]
    for (const value of [...texts, event?.kind, event?.version, event?.detail]) {
      if (value === undefined) appender.appendNull()
      else appender.appendVarchar(value)
    }
    appender.endRow()
    this.#rowsOfPart++
  }

  /** What was added so far becomes a file. */
  async finishPart(): Promise<void> {
    this.#appender?.closeSync()
    if (this.#rowsOfPart > 0) {
      const path = join(this.#folder, `part-${String(this.files.length + 1).padStart(5, '0')}.parquet`)
      await this.#database.run(
        `COPY (SELECT epoch_ms(time_ms) AS time, * EXCLUDE (time_ms) FROM records) TO ${quoteSql(path)} (FORMAT parquet, COMPRESSION zstd)`,
      )
      this.files.push(path)
    }
    this.rows += this.#rowsOfPart
    this.#rowsOfPart = 0
    await this.#database.run('DROP TABLE records')
    await this.begin()
  }

  close(): void {
    this.#appender?.closeSync()
    this.#database.closeSync()
  }
}
