// The commands of a page of docs, to be run in their order: a fence names the machine after `sh`, and a fence of text behind
// it has lines that the block must print in the end.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Finished, REPOSITORY, type Scene, until } from '../helpers/moult.ts'

/** Exit status of `moult agent ...` while the agent itself is at work in its home. */
const LOCK_HELD = 28

export interface Block {
  /** `checkout`, `builder` or `machine`. */
  readonly where: string
  readonly commands: string
  /** Beginnings of lines. */
  readonly prints: readonly string[]
}

/** Runs a script where it belongs. */
export type Shell = (script: string) => Promise<{ readonly code: number; readonly said: string }>

export function readBlocks(page: string): Block[] {
  const text = readFileSync(join(REPOSITORY, 'docs', page), 'utf8')
  const fences = [...text.matchAll(/^```(\S+)(?: (\S+))?\n([^]*?)^```$/gm)]
  return fences.flatMap(([, language, where, commands = ''], index) => {
    if (language === 'text') return []
    assert.ok(language === 'sh' && where !== undefined, `${page}: a fence that is neither text nor commands`)
    const next = fences[index + 1]
    const prints = next?.[1] === 'text' ? (next[3] ?? '').trimEnd().split('\n') : []
    return [{ where, commands, prints }]
  })
}

/** Runs a block once, or until it prints what the page shows. */
export async function runBlock({ commands, prints }: Block, shell: Shell): Promise<void> {
  if (prints.length === 0) {
    const isDone = async (): Promise<boolean> => {
      const { code, said } = await shell(commands)
      // The page says what to do about it.
      if (code === LOCK_HELD) return false
      assert.equal(code, 0, `${commands}\n${said}`)
      return true
    }
    await until('the lock', isDone)
    return
  }
  let said = ''
  const hasPrinted = async (): Promise<boolean> => {
    const result = await shell(commands)
    said = result.said
    const lines = said.split('\n')
    return result.code === 0 && prints.every((print) => lines.some((line) => line.startsWith(print)))
  }
  // Those that are waited for only look.
  assert.doesNotMatch(commands, /release|install|play|stop|rollback|systemctl/)
  await until(`${prints.join(' | ')} from ${commands}`, hasPrinted, 90_000, () => `; it said:\n${said}`)
}

/**
 * A shell that keeps its directory from block to block, and leaves what is started in the background running.
 * @param run runs a command somewhere
 */
export function openShell(
  scene: Scene,
  name: string,
  directory: string,
  run: (command: string, args: readonly string[]) => Promise<Finished>,
): Shell {
  const log = scene.path('shells', `${name}.log`)
  const place = scene.write(`shells/${name}.directory`, directory)
  // What goes on in the background keeps its own log: a pipe would never end.
  const script = 'exec >"$1" 2>&1 </dev/null; set -e; cd "$(cat "$2")"; eval "$3"; pwd >"$2"'
  return async (commands) => {
    const { code } = await run('sh', ['-c', script, name, log, place, commands])
    return { code, said: readFileSync(log, 'utf8') }
  }
}
