// A project whose artifacts are large enough for deltas, and change a little from one version to the next.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { applyPatch, memorySource } from '../../../delta/index.ts'
import { type Binary, type Download, type Release, sha256 } from '../../../manifests/index.ts'
import type { ReleaseDeps, ReleaseEvent } from '../../../release/index.ts'
import { randomFrom } from '../../fuzz/random.ts'
import { type Fixture, makeProject } from '../project-fixture.ts'

const LINES = 4_000
const SEED = 7

export interface DeltaFixture extends Fixture {
  /** Writes agents that share most lines with all others: `text` stands in some of them. */
  readonly build: (text: string) => Promise<void>
  readonly releaseOf: (version: string) => Promise<Release>
  readonly binaryOf: (version: string, platform?: string) => Promise<Binary>
}

export async function makeDeltaProject(t: TestContext, members: Record<string, unknown> = {}): Promise<DeltaFixture> {
  const project = await makeProject(t, { attest: false, smoke: false, compress: 'fast', ...members })
  const releaseOf = (version: string): Promise<Release> => project.readJson<Release>(`updates/releases/${version}.json`)
  return {
    ...project,
    build: (text) => project.writeAgents(agentText(text)),
    releaseOf,
    async binaryOf(version, platform = 'linux-amd64') {
      const binary = (await releaseOf(version)).binaries[platform]
      if (binary === undefined) throw new Error(`no ${platform} in ${version}`)
      return binary
    },
  }
}

/** Noise that no compression shrinks by more than half. */
export function agentText(text: string, seed = SEED): string {
  const random = randomFrom(seed)
  const word = (): string => Math.floor(random() * 2 ** 32).toString(16)
  const lines = Array.from({ length: LINES }, () => `# ${word()} ${word()} ${word()} ${word()}`)
  for (const at of [0.2, 0.5, 0.9]) lines[Math.floor(at * LINES)] = `echo ${text}`
  return lines.join('\n')
}

export function deltasOf({ downloads = [] }: Binary): Download[] {
  return downloads.filter(({ from }) => from !== undefined)
}

/** The versions that a binary has deltas from, as its URLs say. */
export function basesOf(binary: Binary): string[] {
  return deltasOf(binary).map(({ url }) => url.replace(/^.*\.from-/, ''))
}

/** The hash of what a published delta makes of a published artifact. */
export async function applyPublished(updates: string, old: Binary, delta: Download, size: number): Promise<string> {
  const [from, patch] = await Promise.all([old, delta].map(({ url }) => readFile(join(updates, url))))
  if (from === undefined || patch === undefined) throw new Error('not both were read')
  const chunks: Buffer[] = []
  for (const chunk of applyPatch(memorySource(from), memorySource(patch), size)) chunks.push(Buffer.from(chunk))
  return sha256(Buffer.concat(chunks))
}

/** Gathers the notes of a release. */
export function listen(): { readonly notes: string[]; readonly steps: string[]; readonly deps: ReleaseDeps } {
  const notes: string[] = []
  const steps: string[] = []
  const on = (event: ReleaseEvent): void => {
    if (event.kind === 'note') notes.push(event.text)
    if (event.kind === 'step' && event.state === 'started') steps.push(`${event.step} ${event.subject}`)
  }
  return { notes, steps, deps: { on } }
}

/** As `moult fleet status --json` prints it, as far as it is read. */
export async function writeFleet(
  dir: string,
  versions: Readonly<Record<string, number>>,
  name = 'probe',
): Promise<string> {
  const file = join(dir, 'fleet.json')
  const shares = Object.entries(versions).map(([key, agents]) => ({ key, agents, share: 0.1 }))
  await writeFile(file, JSON.stringify({ name, nowMs: 1, versions: shares, agents: { total: 9 } }))
  return file
}
