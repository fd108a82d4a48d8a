// An artifact made of what is on this machine and a patch. Whatever goes wrong here costs some time and a small download:
// the caller takes another way.

import { setImmediate as nextTurn } from 'node:timers/promises'

import { type Binary, formatDuration, MoultError } from '../../manifests/index.ts'
import type { Home } from '../home/home.ts'
import { openReadOnly, type ReadOnlyFile } from '../home/read-only-file.ts'
import type { DownloadOptions, Source } from './download-options.ts'
import { fetchFile } from './fetch-file.ts'
import { openOldArtifact } from './old-artifact.ts'
import { writeUnverified } from './write-unverified.ts'

export interface DeltaSource extends Source {
  readonly from: NonNullable<Source['from']>
}

/**
 * @param partial where the patch lies while it is fetched
 * @param target becomes the artifact; the caller removes it when this fails
 * @throws MoultError, an error of node:fs, or the reason of the signal
 */
export async function takeDelta(
  home: Home,
  binary: Binary,
  source: DeltaSource,
  { partial, target }: { readonly partial: string; readonly target: string },
  options: DownloadOptions,
): Promise<void> {
  const { signal } = options
  const old = await openOldArtifact(home, source.from, signal)
  try {
    const patch = await openPatch(await fetchFile(home.disk, partial, source, options), source, signal)
    try {
      await old.assertUnchanged(signal)
      // Whatever ends this process in the midst of it, such as too little memory, would do so after every start.
      options.noteDelta?.(source, true)
      await apply(home, binary, applied(old.file, patch, binary.size), target, options)
    } finally {
      await patch.close()
    }
  } finally {
    await old.close()
  }
}

async function apply(
  { disk }: Home,
  binary: Binary,
  chunks: AsyncIterable<Uint8Array>,
  target: string,
  { signal, timeoutMs }: DownloadOptions,
): Promise<void> {
  const late = AbortSignal.timeout(timeoutMs)
  const stop = signal === undefined ? late : AbortSignal.any([signal, late])
  try {
    await writeUnverified(disk, target, chunks, binary, 'the delta cannot be applied', stop)
  } catch (cause) {
    if (!late.aborted || signal?.aborted === true) throw cause
    throw new MoultError('ERR_BYTES_ENCODING', `not applied within ${formatDuration(timeoutMs)}: the delta`, { cause })
  }
}

/** By its hash once more: it was written through another descriptor, and is read by a decoder. */
async function openPatch(path: string, { sha256 }: Source, signal?: AbortSignal): Promise<ReadOnlyFile> {
  const patch = await openReadOnly(path)
  try {
    if ((await patch.hash(signal)) === sha256) return patch
    throw new MoultError('ERR_BYTES_HASH', 'exchanged after its download: the delta')
  } catch (error) {
    await patch.close()
    throw error
  }
}

/** Each step of the decoder blocks for some milliseconds: in between, the agent's own work and the signal have their turn. */
async function* applied(old: ReadOnlyFile, patch: ReadOnlyFile, size: number): AsyncGenerator<Uint8Array> {
  // Loaded when the first delta comes: most of the time an agent has none to apply.
  const { applyPatch } = await import('../../delta/apply-patch.ts')
  for (const chunk of applyPatch(old, patch, size)) {
    yield chunk
    await nextTurn()
  }
}
