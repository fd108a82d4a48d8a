// Logs in, a fleet out: find -> open -> unpack -> read -> fold.

import { scanAll, type ScanOptions, type ScanResult } from './engine/scan-all.ts'
import { findSources } from './sources/find-sources.ts'

export interface ReadLogsOptions extends ScanOptions {}

/**
 * Reads logs into what is known of each agent. Lines that are no requests are counted, never fatal; `counts` says how
 * many there were, and shows the first.
 * @param names each a file, a folder, a pattern, `-` for standard input, or `s3://bucket/prefix`
 * @throws MoultError ERR_USAGE_INVALID for a name that means no log, ERR_NETWORK_* and ERR_CONFIG_MISSING for a bucket
 */
export async function readLogs(names: readonly string[], options: ReadLogsOptions = {}): Promise<ScanResult> {
  const sources = await findSources(names, options)
  return await scanAll(sources, options)
}
