// The SQL of fleet/sql on DuckDB, over raw log lines and over Parquet.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { type Connection, openDuckDb, quoteSql } from '../../fleet/parquet/duckdb.ts'
import { isMoultError } from '../../manifests/errors.ts'

const SQL = fileURLToPath(new URL('../../fleet/sql/', import.meta.url))

export type Row = Readonly<Record<string, unknown>>

/** Undefined where DuckDB is not installed and need not be: the test is skipped. */
export async function openOrSkip(t: TestContext): Promise<Connection | undefined> {
  try {
    const database = await openDuckDb()
    t.after(() => database.closeSync())
    return database
  } catch (error) {
    if (!isMoultError(error) || process.env['CI'] !== undefined) throw error
    t.skip(error.message)
    return undefined
  }
}

/** Each file of logs is a table with the columns that the statement for Athena names. */
export async function loadCloudFrontLogs(database: Connection, pattern: string): Promise<void> {
  const columns = [...readSql('cloudfront-table.athena').matchAll(/^ {2}`?(\w+)`? string/gm)].map(([, name]) => name)
  const types = columns.map((name) => `'${name}': 'VARCHAR'`).join(', ')
  const options = `delim = '\\t', quote = '', escape = '', header = false, skip = 2, columns = {${types}}`
  await database.run(`CREATE TABLE cloudfront_logs AS SELECT * FROM read_csv(${quoteSql(pattern)}, ${options})`)
  await database.run(readSql('01-records-from-cloudfront'))
}

export async function loadParquet(database: Connection, pattern: string): Promise<void> {
  await database.run(`CREATE VIEW fleet_records AS SELECT * FROM read_parquet(${quoteSql(pattern)})`)
}

/** The views that stand on `fleet_records`. */
export async function createViews(database: Connection): Promise<void> {
  const names = readdirSync(SQL)
    .filter((name) => /^0[2-9]-/.test(name))
    .sort()
  for (const name of names) await database.run(readSql(name.replace(/\.sql$/, '')))
}

/** Numbers come as text where they are wide. */
export async function ask(database: Connection, name: string): Promise<Row[]> {
  return (await database.runAndReadAll(readSql(name))).getRowObjectsJson()
}

function readSql(name: string): string {
  return readFileSync(join(SQL, `${name}.sql`), 'utf8')
}
