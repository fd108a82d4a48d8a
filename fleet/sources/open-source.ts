// Bytes of a log, unpacked where they are gzip. The first bytes tell, and not the name.

import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

import { MoultError } from '../../manifests/errors.ts'
import { type LogSource, sourceName } from './log-source.ts'
import { openObject } from './s3-logs.ts'

const READ_BYTES = 128 * 1024
const UNZIPPED_BYTES = 128 * 1024
const STDIN = 0

/** Gets each chunk; the bytes are good until it returns. */
export type OnChunk = (chunk: Buffer) => void

/**
 * Reads a log to its end. A log whose gzip is damaged ends there: what came before was handed over, and the answer says
 * what is wrong with the rest.
 * @param pause is awaited now and then, so that the reader does not run ahead of what becomes of the rows
 * @throws MoultError ERR_USAGE_INVALID for what cannot be opened
 */
export async function readSource(
  source: LogSource,
  onChunk: OnChunk,
  pause: () => Promise<void>,
): Promise<string | undefined> {
  const chunks = await openBytes(source)
  const unzip = new Unzip(onChunk)
  let isGzip: boolean | undefined
  try {
    for await (const chunk of chunks) {
      isGzip ??= chunk[0] === 0x1f && chunk[1] === 0x8b
      if (isGzip) await unzip.write(chunk)
      else onChunk(chunk)
      if (unzip.damage !== undefined) return unzip.damage
      await pause()
    }
    return isGzip === true ? await unzip.end() : undefined
  } catch (error) {
    throw readError(error, source)
  } finally {
    unzip.close()
  }
}

/**
 * The chunks go on as they are unpacked, one input after the other: the iterator of a stream drops what it still holds
 * when the stream fails, and that would be the end of every log that was cut.
 */
class Unzip {
  damage: string | undefined
  readonly #stream = createGunzip({ chunkSize: UNZIPPED_BYTES })
  #onDone: () => void = () => undefined

  constructor(onChunk: OnChunk) {
    this.#stream.on('data', onChunk)
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      this.damage = error.code === 'Z_BUF_ERROR' ? 'the gzip ends early' : 'the gzip is damaged'
    })
    // A stream that fails calls nobody back.
    this.#stream.on('close', () => this.#onDone())
  }

  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onDone = resolve
      this.#stream.write(chunk, () => resolve())
    })
  }

  async end(): Promise<string | undefined> {
    // It ends or fails, and is closed after both.
    await new Promise<void>((resolve) => {
      this.#onDone = resolve
      this.#stream.end()
    })
    return this.damage
  }

  close(): void {
    this.#stream.destroy()
  }
}

async function openBytes(source: LogSource): Promise<AsyncIterable<Buffer>> {
  switch (source.kind) {
    case 'file':
      return createReadStream(source.path, { highWaterMark: READ_BYTES })
    case 'stdin':
      return createReadStream('', { fd: STDIN, autoClose: false, highWaterMark: READ_BYTES })
    case 's3':
      return await openObject(source)
  }
}

function readError(error: unknown, source: LogSource): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EISDIR') return error
  return new MoultError('ERR_USAGE_INVALID', `the log cannot be read: ${sourceName(source)}`, { cause: error })
}
