import { startServer } from '../../local-server/index.ts'
import type { Bench } from './figure.ts'

/** One answer of the server, as its log has it. */
export interface Answer {
  /** On the clock of `performance`, when all of it was sent. */
  readonly atMs: number
  readonly url: string
  readonly status: number
  readonly bytes: number
}

export interface Site {
  readonly url: string
  /** May be emptied. */
  readonly answers: Answer[]
}

/** A local server for one figure, and what it answers. */
export async function serveSite(bench: Bench, dir: string): Promise<Site> {
  const answers: Answer[] = []
  const server = await startServer({ dir, port: 0, log: (line) => answers.push(readAnswer(line)) })
  bench.defer(() => server.close())
  return { url: server.url, answers }
}

/** The artifact that was fetched last. @throws Error unless it is what was expected */
export function fetchedArtifact(answers: readonly Answer[], expected: RegExp): Answer {
  const last = answers.findLast(({ url, status }) => url.startsWith('bin/') && status === 200)
  if (last === undefined || !expected.test(last.url)) {
    throw new Error(`not updated as expected (${expected}): ${answers.map(({ url }) => url).join(', ')}`)
  }
  return last
}

function readAnswer(line: string): Answer {
  const [, url = '', status = '', bytes = ''] = /"GET \/(\S*) HTTP\/1\.1" (\d+) (\d+|-)/.exec(line) ?? []
  return { atMs: performance.now(), url, status: Number(status), bytes: Number(bytes) }
}
