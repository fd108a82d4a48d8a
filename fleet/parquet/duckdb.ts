// DuckDB is an optional package: who writes no Parquet need not have it. As much of it as is used here.

import { MoultError } from '../../manifests/errors.ts'

/** A name, and no text in `import()`, for the package may be absent where this is compiled. */
const PACKAGE = '@duckdb/node-api'

export interface Appender {
  appendVarchar: (value: string) => void
  appendBigInt: (value: bigint) => void
  appendNull: () => void
  endRow: () => void
  closeSync: () => void
}

export interface Connection {
  run: (sql: string) => Promise<unknown>
  runAndReadAll: (sql: string) => Promise<{ getRowObjectsJson: () => Record<string, unknown>[] }>
  createAppender: (table: string) => Promise<Appender>
  closeSync: () => void
}

interface DuckDb {
  readonly DuckDBInstance: {
    create: (path: string) => Promise<{ connect: () => Promise<Connection>; closeSync: () => void }>
  }
}

/**
 * A database in memory.
 * @throws MoultError ERR_CONFIG_MISSING without the package
 */
export async function openDuckDb(): Promise<Connection> {
  const { DuckDBInstance } = await loadDuckDb()
  const instance = await DuckDBInstance.create(':memory:')
  return await instance.connect()
}

async function loadDuckDb(): Promise<DuckDb> {
  try {
    return (await import(PACKAGE)) as DuckDb
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new MoultError('ERR_CONFIG_MISSING', `Parquet needs a package that is not installed: ${PACKAGE}`, {
      hint: `Run \`npm install ${PACKAGE}\`.`,
      cause,
    })
  }
}

/** A text in SQL. */
export function quoteSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
