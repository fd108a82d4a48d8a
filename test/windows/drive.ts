// Runs on Windows, bundled into one file: lays out a home with this very Node as the first version of a program, and
// supervises it. Events go to a file, a line each. Ends when a file `stop` appears beside that.

import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { eventJson } from '../../agent/events/event-lines.ts'
import { homeAt } from '../../agent/home/home.ts'
import { adoptProgram } from '../../agent/install/adopt.ts'
import { withLock } from '../../agent/home/lock.ts'
import { loadSettings } from '../../agent/settings/settings.ts'
import { supervise } from '../../agent/supervise.ts'

const [stage = '', url = '', root = ''] = process.argv.slice(2)
const home = homeAt(join(stage, 'home'))
const events = join(stage, 'events.jsonl')
const stop = new AbortController()

mkdirSync(home.path, { recursive: true })
writeFileSync(home.root, root)
const settings = {
  server: url,
  interval: '1s',
  probation: '2s',
  preflight: [],
  retries: 0,
  keepDays: 0,
  keepVersions: 2,
}
writeFileSync(home.config, JSON.stringify(settings))
await withLock(home, () => adoptProgram(home, 'heartbeat-agent', '1.0.0', process.execPath))
const watch = setInterval(() => existsSync(join(stage, 'stop')) && stop.abort(), 100)
const status = await supervise({
  settings: loadSettings(home.path, {}),
  overrides: {},
  args: [join(stage, 'sensor.cjs')],
  onEvent: (event) => appendFileSync(events, `${eventJson(event, Date.now())}\n`),
  signal: stop.signal,
  env: process.env,
})
clearInterval(watch)
appendFileSync(events, `${JSON.stringify({ kind: 'end', status, platform: process.platform })}\n`)
