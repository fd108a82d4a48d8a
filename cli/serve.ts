import { once } from 'node:events'
import type { Command } from 'commander'

import { MoultError } from '../manifests/errors.ts'
import { reportError } from './report-error.ts'

interface Options {
  port: string
  host: string
  latency?: string
  bandwidth?: string
  quiet?: boolean
  json?: boolean
}

const PORT_MAX = 65_535

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('the local update server, for development')
    .argument('[dir]', 'the published folder', './updates')
    .option('--port <n>', 'port; 0 takes any free one', '8090')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--latency <ms>', 'wait before each answer')
    .option('--bandwidth <bytes>', 'bytes per second of each answer')
    .option('--quiet', 'no access log')
    .option('--json', 'print the URL as a JSON object')
    .action(serve)
}

/** Prints the URL, then one line of the combined log format a request, until SIGINT or SIGTERM. */
async function serve(dir: string, options: Options): Promise<void> {
  try {
    const { startServer } = await import('../local-server/index.ts')
    const latencyMs = numberOf('--latency', options.latency, 0, 600_000)
    const bytesPerSecond = numberOf('--bandwidth', options.bandwidth, 1, Number.MAX_SAFE_INTEGER)
    const port = numberOf('--port', options.port, 0, PORT_MAX) ?? 0
    const server = await startServer({
      dir,
      host: options.host,
      port,
      faults: {
        ...(latencyMs === undefined ? {} : { latencyMs }),
        ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      },
      ...(options.quiet === true ? {} : { log: (line: string) => console.log(line) }),
    }).catch((cause: unknown) => {
      throw startError(cause, dir, options)
    })
    console.log(options.json === true ? JSON.stringify({ url: server.url }) : `Serving ${dir} at ${server.url}`)
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
    await server.close()
    process.exitCode = 0
  } catch (error) {
    process.exitCode = reportError(error, options.json === true)
  }
}

function startError(cause: unknown, dir: string, { host, port }: Options): unknown {
  const { code, syscall } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new MoultError('ERR_CONFIG_MISSING', `no such folder: ${dir}`, {
      hint: 'Publish something with `moult release` first, or name the folder.',
      details: { dir },
      cause,
    })
  }
  if (code === undefined || (syscall !== 'listen' && syscall !== 'getaddrinfo')) return cause
  const reason = code === 'EADDRINUSE' ? 'in use' : `not to be had (${code})`
  return new MoultError('ERR_SERVER_PORT', `${reason}: ${host} port ${port}`, {
    hint: 'Take another with --port, or any free one with --port 0.',
    details: { host, port: Number(port), code },
    cause,
  })
}

function numberOf(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new MoultError(
    'ERR_USAGE_INVALID',
    `${option}: expected a whole number of at least ${min}, got ${JSON.stringify(text)}`,
  )
}
