// Drives a real Chromium over its DevTools protocol, by one WebSocket.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

import { WebSocket } from 'undici'

const START_TIMEOUT_MS = 60_000

/** Why these tests cannot run here; false where they can. In CI they have to. */
export function noChromium(): string | false {
  return process.env['CI'] === undefined && spawnSync('chromium', ['--version']).status !== 0
    ? 'chromium is not installed'
    : false
}

/** The source of axe-core, which looks for faults of accessibility; undefined where it is not installed. */
export function axeSource(): string | undefined {
  try {
    return readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  } catch {
    return undefined
  }
}

type Params = Readonly<Record<string, unknown>>

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Params
  readonly result?: Params
  readonly error?: { readonly message: string }
}

/** What a page looks like: of which width, and for which eyes. */
export interface View {
  readonly width: number
  readonly scheme?: 'light' | 'dark'
  readonly media?: 'screen' | 'print'
}

export interface Page {
  open(url: string): Promise<void>
  show(view: View): Promise<void>
  /** The value of an expression, or of its promise. */
  evaluate<T>(expression: string): Promise<T>
  /** PNG of the page, or of a part of it. */
  screenshot(clip?: Readonly<Record<'x' | 'y' | 'width' | 'height', number>>): Promise<Buffer>
  pdf(): Promise<Buffer>
  /** What the page said on its console, violations of its policy and errors included. */
  readonly messages: readonly string[]
  readonly requests: readonly string[]
}

/** A page of a browser of its own, which ends with the test. */
export async function openPage(t: TestContext): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'moult-chromium-'))
  const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-port=0']
  const child = spawn('chromium', [...args, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // It has helpers, which must end with it.
    detached: true,
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  t.after(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    await ended
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  })
  const session = await connect(await endpointOf(child))
  t.after(() => session.close())
  return session.page
}

/** The URL that the browser says it listens at. */
function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines: string[] = []
    const fail = (): void => reject(new Error(`chromium did not start:\n${lines.join('\n')}`))
    const timer = setTimeout(fail, START_TIMEOUT_MS)
    child.once('error', reject)
    child.once('close', fail)
    if (child.stderr === null) return
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line)
      const url = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1]
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    })
  })
}

async function connect(url: string): Promise<{ readonly page: Page; readonly close: () => void }> {
  const socket = new WebSocket(url)
  const answers = new Map<number, (message: Message) => void>()
  const waiting = new Map<string, () => void>()
  const messages: string[] = []
  const requests: string[] = []
  let count = 0
  const session: { id?: string } = {}

  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) answers.get(message.id)?.(message)
    const { method = '', params = {} } = message
    waiting.get(method)?.()
    if (/^(?:Log\.entryAdded|Runtime\.consoleAPICalled|Runtime\.exceptionThrown)$/.test(method)) {
      messages.push(JSON.stringify(params))
    }
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { url: string }).url)
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })

  const send = (method: string, params: Params = {}): Promise<Params> => {
    count += 1
    const id = count
    socket.send(JSON.stringify({ id, method, params, ...(session.id === undefined ? {} : { sessionId: session.id }) }))
    return new Promise((resolve, reject) => {
      answers.set(id, ({ result = {}, error }) => {
        answers.delete(id)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
    })
  }

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const attached = await send('Target.attachToTarget', { targetId, flatten: true })
  session.id = String(attached['sessionId'])
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`)

  const dataOf = async (method: string, params: Params): Promise<Buffer> =>
    Buffer.from(String((await send(method, params))['data']), 'base64')
  const page: Page = {
    messages,
    requests,
    open: async (address) => {
      const loaded = new Promise<void>((resolve) => waiting.set('Page.loadEventFired', resolve))
      await send('Page.navigate', { url: address })
      await loaded
    },
    show: async ({ width, scheme = 'light', media = 'screen' }) => {
      const isNarrow = width < 600
      await send('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: isNarrow })
      const features = [{ name: 'prefers-color-scheme', value: scheme }]
      await send('Emulation.setEmulatedMedia', { media, features })
    },
    evaluate: async <T>(expression: string) => {
      const answer = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
      const { exceptionDetails, result } = answer
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return (result as { value: T }).value
    },
    screenshot: (clip) =>
      dataOf('Page.captureScreenshot', {
        format: 'png',
        captureBeyondViewport: true,
        ...(clip === undefined ? {} : { clip: { ...clip, scale: 1 } }),
      }),
    pdf: () => dataOf('Page.printToPDF', { printBackground: false }),
  }
  return { page, close: () => socket.close() }
}
