// An agent that keeps itself up to date: it writes a heartbeat each second into an outbox on disk, from where it goes to
// HEARTBEAT_SERVER if that is set, answers /healthz, and embeds Moult's updater. Copy it, and put your own work where
// the heartbeats are.

import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { eventJson, eventText, isDetail, Updater } from 'moult/agent'

import { openOutbox } from './outbox.ts'

/** What cannot be sent within this time before a restart stays in the outbox. */
const FLUSH_MS = 5000
/** Replaced by the version of the release when the agent is built. */
declare const __MOULT_VERSION__: string
const version = typeof __MOULT_VERSION__ === 'string' ? __MOULT_VERSION__ : '0.0.0-dev'

if (process.argv.includes('--version')) {
  console.log(version)
} else {
  main()
}

function main(): void {
  const outbox = openOutbox(
    process.env['HEARTBEAT_OUTBOX'] ?? join(process.env['MOULT_HOME'] ?? '.', 'outbox.jsonl'),
    process.env['HEARTBEAT_SERVER'],
  )
  log(`heartbeat-agent ${version} starts at heartbeat ${outbox.next}`)

  const beat = setInterval(
    () => {
      // The line is on the disk before anyone hears of it: what was announced cannot be lost.
      const number = outbox.append({ version, at: new Date().toISOString() })
      log(`heartbeat ${number}`)
      outbox.flush().catch((error: unknown) => log(`cannot keep the outbox: ${String(error)}`))
    },
    Number(process.env['HEARTBEAT_INTERVAL_MS'] ?? 1000),
  )

  const server = createServer((request, response) => {
    const isHealthy = request.url === '/healthz'
    response.writeHead(isHealthy ? 200 : 404, { 'content-type': 'application/json' })
    // Flags come signed with the rollout: a part of the fleet can run something new without a new version.
    const health = { version, heartbeats: outbox.next - 1, flags: updater.flags }
    response.end(isHealthy ? `${JSON.stringify(health)}\n` : '{}\n')
  })
  server.on('error', (error) => log(`no health endpoint: ${error.message}`))
  server.listen(Number(process.env['HEARTBEAT_PORT'] ?? 8091), '127.0.0.1')

  let finished: Promise<void> | undefined
  const finish = (): Promise<void> => {
    clearInterval(beat)
    server.close()
    finished ??= Promise.race([outbox.flush(), sleep(FLUSH_MS)]).then(() => outbox.close())
    return finished
  }

  // All that keeping itself up to date takes. Where it polls and whom it trusts stands in <home>/agent.json.
  const updater = new Updater({
    version,
    beforeRestart: finish,
    onEvent: (event) => {
      if (process.env['HEARTBEAT_LOG'] === 'json') console.log(eventJson(event, Date.now()))
      else if (!isDetail(event)) log(eventText(event))
    },
  })
  updater.start()

  const stop = async (): Promise<void> => {
    await finish()
    await updater.stop()
    process.exit(0)
  }
  process.once('SIGTERM', () => void stop())
  process.once('SIGINT', () => void stop())
}

function log(line: string): void {
  if (process.env['HEARTBEAT_LOG'] !== 'json') console.log(line)
}
