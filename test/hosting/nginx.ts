// Runs nginx with a configuration of docs/hosting.md: its blocks are what is tested, with other ports and folders.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { freePort } from '../helpers/moult.ts'

const PAGE = new URL('../../docs/hosting.md', import.meta.url)
const START_TIMEOUT_MS = 30_000

/** Why these tests cannot run here; false where they can. In CI they have to. */
export function noNginx(): string | false {
  return process.env['CI'] === undefined && spawnSync('nginx', ['-v']).status !== 0 ? 'nginx is not installed' : false
}

export interface Nginx {
  readonly url: string
  /** Lines of the access log: method, path, status. */
  requests(): string[]
  stop(): Promise<void>
}

/** A block of the page by its title, e.g. `nginx proxy`, with each replacement made at least once. */
export function configOf(title: string, replacements: readonly (readonly [from: string, to: string])[]): string {
  const [, block] = new RegExp(`^\`\`\`${title}\n(.*?)^\`\`\`$`, 'ms').exec(readFileSync(PAGE, 'utf8')) ?? []
  if (block === undefined) throw new Error(`no block ${title} in docs/hosting.md`)
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`not in the block ${title}: ${from}`)
    return text.replaceAll(from, to)
  }, block)
}

/** @param config of the `http` level; the word PORT in it stands for a free port */
export async function startNginx(t: TestContext, dir: string, config: string): Promise<Nginx> {
  const port = await freePort()
  mkdirSync(dir, { recursive: true })
  const log = join(dir, 'access.log')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${dir}/${each};`,
  )
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off;
worker_processes 1;
pid ${dir}/pid;
error_log ${dir}/error.log;
events { worker_connections 4096; }
http {
log_format plain '$request_method $uri $status';
access_log ${log} plain;
${temporary.join('\n')}
${config.replaceAll('PORT', String(port))}
}
`,
  )
  // The master ends its workers when it gets SIGTERM; under root they run as another user, who must reach the files.
  const user = process.getuid?.() === 0 ? ['-g', 'user root;'] : []
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log'), ...user], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGTERM')
    await ended
  }
  t.after(stop)
  const url = `http://127.0.0.1:${port}`
  await answering(url, child)
  return {
    url,
    requests: () =>
      readFileSync(log, 'utf8')
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('HEAD ')),
    stop,
  }
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    try {
      await new Promise((resolve, reject) => {
        get(url, { method: 'HEAD', agent: false }, (response) => resolve(response.resume())).on('error', reject)
      })
      return
    } catch (error) {
      if (child.exitCode !== null || Date.now() > deadline) throw error
      await sleep(20)
    }
  }
}
