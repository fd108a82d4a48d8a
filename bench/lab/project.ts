// A project of a user, and Moult's own commands in it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { execa } from 'execa'

import { type Bench, REPOSITORY } from './figure.ts'

export const MAIN = join(REPOSITORY, 'dist', 'cli', 'main.js')

export async function moult(cwd: string, ...args: readonly string[]): Promise<string> {
  if (!existsSync(MAIN)) throw new Error('dist is absent: run `npm run build` first')
  const { stdout } = await execa(process.execPath, [MAIN, ...args], { cwd })
  return stdout
}

/** `moult init` in a new folder, with more members of moult.config.json. @returns the folder */
export async function initProject(
  { folder }: Bench,
  name: string,
  init: { readonly type: 'script' | 'node' | 'files'; readonly agent: string },
  config: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const project = join(folder, name)
  mkdirSync(project, { recursive: true })
  await moult(project, 'init', '--name', 'bench-agent', '--type', init.type, '--agent', init.agent)
  changeConfig(project, config)
  return project
}

/** Members of its moult.config.json. */
export function changeConfig(project: string, members: Readonly<Record<string, unknown>>): void {
  const path = join(project, 'moult.config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  writeFileSync(path, JSON.stringify({ ...config, ...members }, null, 2))
}
