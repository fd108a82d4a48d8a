// What hosts offer in the scenarios, and the homes that they begin with. Everything is laid out for certain before a
// recording begins.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { prepareHome } from '../../agent/home/home.ts'
import { writeLaunchRecord } from '../../agent/home/launch-record.ts'
import { withLock } from '../../agent/home/lock.ts'
import { update } from '../../agent/update.ts'
import { createPatch } from '../../delta/index.ts'
import { sha256 } from '../../manifests/index.ts'
import { packTree } from '../../release/pack/pack-tree.ts'
import { adopt, artifactOf, type Host, layOutHome, NAME, type Offer, program, publish } from '../agent/field.ts'
import { END, member } from '../agent/tar-bytes.ts'
import { makeRoot } from '../fixtures/signed-manifest.ts'
import type { Accepted } from './recovery.ts'
import { DEPS, homeIn, settingsIn } from './stage.ts'

export const V1 = '1.0.0'
export const V2 = '2.0.0'
export const OLD_FLOOR = 10
export const NEW_FLOOR = 11

const LINES = 1000
/** By what a program says at its start it is known which one the launcher chose. */
const saying = (version: string): string => `echo "ran ${version}"; exit 0`
const ARTIFACT = program(V2, `${saying(V2)}\n${'# the rest of a program\n'.repeat(LINES)}`)
const OTHER_BUILD = `${saying(V2)} # another build`
type Tree = readonly (readonly [path: string, mode: number, content: Buffer])[]
const treeOf = (version: string): Tree => [
  ['bin/agent', 0o755, program(version, saying(version))],
  ['share/data/one', 0o644, Buffer.from('data one\n')],
  ['share/data/two', 0o644, Buffer.from('data two\n')],
]

export const FIRST: Offer = { version: V1, artifact: program(V1, saying(V1)), sequence: OLD_FLOOR }
export const NEXT: Offer = { version: V2, artifact: ARTIFACT, sequence: NEW_FLOOR }
export const NEXT_COMPRESSED: Offer = { ...NEXT, br: true }
export const NEXT_TREE: Offer = {
  version: V2,
  artifact: Buffer.concat([...treeOf(V2).map(([name, mode, body]) => member({ name, mode, body })), END]),
  sequence: NEW_FLOOR,
  binary: { unpack: 'tar', entry: 'bin/agent' },
}

const fileOf = (version: string, body: string): string => fileText(program(version, body))
const treeText = (version: string): string =>
  treeOf(version)
    .map(([path, mode, content]) => `${path} ${mode} ${sha256(content)}`)
    .join('\n')
const fileText = (artifact: Buffer): string => `${NAME} ${0o755} ${sha256(artifact)}`

/** All that any host offers here, or that was adopted before. */
export const ACCEPTED: Accepted = new Map([
  ...['0.1.0', '0.2.0', '0.3.0'].map((version): [string, string[]] => [version, [fileOf(version, saying(version))]]),
  [V1, [fileOf(V1, saying(V1)), treeText(V1)]],
  [V2, [fileText(ARTIFACT), fileOf(V2, OTHER_BUILD), treeText(V2)]],
])

/** Puts the next version on the host, as a delta to what is installed as well. */
export function publishDelta(host: Host, old: Buffer, next: Offer): void {
  const patch = Buffer.from(createPatch(old, artifactOf(next)))
  const delta = {
    url: 'delta',
    size: patch.length,
    sha256: sha256(patch),
    encoding: 'moult-delta-1',
    from: sha256(old),
  }
  host.serve('delta', patch)
  publish(host, { ...next, binary: { ...next.binary, downloads: [delta] } })
}

/** Version 1.0.0 as a tree, confirmed. @returns its archive, as a release packs it */
export async function layOutTree(root: string, host: Host): Promise<Buffer> {
  const [source, archive] = [join(root, 'source'), join(root, 'archive')]
  for (const [path, mode, content] of treeOf(V1)) {
    mkdirSync(dirname(join(source, path)), { recursive: true })
    writeFileSync(join(source, path), content, { mode })
  }
  await packTree(source, archive, new AbortController().signal)
  const artifact = readFileSync(archive)
  for (const path of [source, archive]) rmSync(path, { recursive: true })
  mkdirSync(join(root, 'home'), { mode: 0o755 })
  const home = homeIn(root)
  prepareHome(home)
  writeFileSync(home.root, JSON.stringify(makeRoot()))
  publish(host, { ...FIRST, artifact, binary: { unpack: 'tar', entry: 'bin/agent' } })
  await poll(root, host)
  return artifact
}

/** An empty directory for a home, which is not there yet. */
export async function layOutNothing(root: string, host: Host): Promise<void> {
  writeFileSync(join(root, 'program'), program(V1, saying(V1)), { mode: 0o755 })
  writeFileSync(join(root, 'root.json'), JSON.stringify(makeRoot()))
  publish(host, FIRST)
  await Promise.resolve()
}

/** Version 1.0.0, confirmed, with the manifest that offers it. */
export async function layOutFirst(root: string, host: Host): Promise<void> {
  mkdirSync(join(root, 'home'), { mode: 0o755 })
  await layOutHome(homeIn(root), V1, saying(V1))
  publish(host, FIRST)
  await poll(root, host)
}

/** Version 2.0.0 swapped in, and started so many times of three. */
export async function layOutTrial(root: string, host: Host, started: number, offer: Offer = NEXT): Promise<void> {
  await layOutFirst(root, host)
  publish(host, offer)
  await poll(root, host)
  const { disk, current } = homeIn(root)
  writeLaunchRecord(disk, current, { version: V2, previous: V1, trial: { started, tries: 3 } })
}

/** Version 1.0.0 confirmed, with others beside it. */
export async function layOutKept(root: string, host: Host, versions: readonly string[]): Promise<void> {
  await layOutFirst(root, host)
  const home = homeIn(root)
  for (const version of versions) await adopt(home, version, saying(version))
  for (const record of [home.confirmed, home.current]) writeLaunchRecord(home.disk, record, { version: V1 })
}

/** Another build of version 2.0.0, kept from an earlier time. @param record names it as the previous one, or not */
export async function layOutOtherBuild(root: string, host: Host, record: { previous?: string }): Promise<void> {
  await layOutFirst(root, host)
  const home = homeIn(root)
  await adopt(home, V2, OTHER_BUILD)
  writeLaunchRecord(home.disk, home.confirmed, { version: V1 })
  writeLaunchRecord(home.disk, home.current, { version: V1, ...record })
}

async function poll(root: string, host: Host): Promise<void> {
  const settings = settingsIn(root, host)
  await withLock(settings.home, () => update(settings, { apply: true }, DEPS))
}
