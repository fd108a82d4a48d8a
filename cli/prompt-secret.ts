import { StringDecoder } from 'node:string_decoder'

const [ENTER, LINE_FEED, END, CANCEL, ERASE, BACKSPACE, ERASE_LINE] = [
  '\r',
  '\n',
  '\u0004',
  '\u0003',
  '\u007F',
  '\b',
  '\u0015',
]

/**
 * Asks at the terminal without showing what is typed; undefined where there is none. The question goes to stderr, which
 * is no data. Raw mode means that Ctrl-C is a character here: it becomes the signal that it stands for.
 */
export async function promptSecret(question: string, signal: AbortSignal): Promise<string | undefined> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY) return undefined
  signal.throwIfAborted()
  // Before the question: a quick typist, or a program, would see the first letters shown.
  stdin.setRawMode(true)
  stderr.write(question)
  const decoder = new StringDecoder('utf8')
  let typed: string[] = []
  try {
    return await new Promise<string>((resolve, reject) => {
      const finish = (): void => resolve(typed.join(''))
      const onData = (chunk: Buffer): void => {
        for (const key of decoder.write(chunk)) {
          if (key === ENTER || key === LINE_FEED || key === END) return finish()
          if (key === CANCEL) process.kill(process.pid, 'SIGINT')
          else if (key === ERASE || key === BACKSPACE) typed.pop()
          else if (key === ERASE_LINE) typed = []
          else if (key >= ' ') typed.push(key)
        }
      }
      stdin.on('data', onData).once('end', finish).resume()
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  } finally {
    stdin.removeAllListeners('data').removeAllListeners('end')
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}
