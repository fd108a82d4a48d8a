// Runs the command line at a pseudo-terminal, as a person would, by the standard library of Python.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))

/** Answers each question with the next line; prints all that a person sees, and ends with the program's status. */
const DRIVER = `
import os, pty, sys
argv, answers = sys.argv[1].split('\\x1f'), sys.argv[2].split('\\x1f')
pid, master = pty.fork()
if pid == 0:
    os.execvp(argv[0], argv)
seen = b''
asked = 0
while True:
    try:
        chunk = os.read(master, 4096)
    except OSError:
        break
    if not chunk:
        break
    seen += chunk
    while asked < len(answers) and seen.count(b': ', seen.rfind(b'error') + 1) > asked and seen.endswith(b': '):
        os.write(master, answers[asked].encode())
        asked += 1
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
`

export const HAS_TERMINAL = spawnSync('python3', ['-c', 'import os, pty; os.waitstatus_to_exitcode']).status === 0

export interface Seen {
  readonly code: number | null
  readonly screen: string
}

/** @param answers what is typed, with its line end, each after a question that ends with a colon */
export async function runAtTerminal(args: readonly string[], cwd: string, answers: readonly string[]): Promise<Seen> {
  const argv = [process.execPath, '--import', import.meta.resolve('tsx'), MAIN, ...args]
  const child = spawn('python3', ['-c', DRIVER, argv.join('\u001F'), answers.join('\u001F')], {
    cwd,
    env: { ...process.env, MOULT_KEY: undefined, MOULT_PASSPHRASE: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let screen = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (screen += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, screen }
}
