import type { BatchWriter } from '../scan/batch.ts'
import type { LogCounts } from '../scan/log-counts.ts'
import { type OnPoll, Scanner, type ScanScope } from '../scan/scanner.ts'
import { type LogSource, sourceName } from '../sources/log-source.ts'
import { readSource } from '../sources/open-source.ts'

/** Reads one log into `rows`, and hands them on whenever there are enough of them. */
export async function scanSource(
  source: LogSource,
  scope: ScanScope,
  rows: BatchWriter,
  deliver: () => Promise<void>,
  onPoll?: OnPoll,
): Promise<LogCounts> {
  const scanner = new Scanner(sourceName(source), rows, scope, onPoll)
  const damage = await readSource(
    source,
    (chunk) => scanner.write(chunk),
    async () => {
      if (rows.isFull) await deliver()
    },
  )
  const counts = scanner.end(damage)
  await deliver()
  return counts
}
