import { MoultError } from '../../manifests/index.ts'

/**
 * For a manifest that is no longer the one that was to be replaced. Says what is live now; that is only what the bytes
 * claim, since whoever releases next verifies them.
 */
export function manifestConflict(path: string, live: Uint8Array | undefined): MoultError {
  const winner = live === undefined ? undefined : claimOf(live)
  const message =
    winner === undefined
      ? 'changed by another release meanwhile'
      : `another release won, and ${winner.version} is live with sequence ${winner.sequence}`
  return new MoultError('ERR_PUBLISH_CONFLICT', `${message}: ${path}`, {
    hint: 'Nothing was overwritten; look at what is live now and release again.',
    details: { path, ...winner },
  })
}

export function claimOf(bytes: Uint8Array): { version: string; sequence: number } | undefined {
  try {
    const { version, rollout } = JSON.parse(new TextDecoder().decode(bytes)) as {
      version?: unknown
      rollout?: { sequence?: unknown }
    }
    const sequence = rollout?.sequence
    const isPlain = typeof version === 'string' && /^[\w.+-]{1,64}$/.test(version) && Number.isSafeInteger(sequence)
    return isPlain ? { version, sequence: sequence as number } : undefined
  } catch {
    return undefined
  }
}

/** For a document that is there with other bytes. */
export function documentExists(path: string): MoultError {
  return new MoultError('ERR_PUBLISH_EXISTS', `already published with other bytes: ${path}`, {
    hint: 'What is published stays as it is; release under a new version.',
    details: { path },
  })
}
