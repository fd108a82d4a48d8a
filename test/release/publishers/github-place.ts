// The publisher of a double's repository.

import { sha256 } from '../../../manifests/index.ts'
import type { ReleaseEvent } from '../../../release/events.ts'
import { openGitHub } from '../../../release/publishers/github.ts'
import type { GitHubConfig } from '../../../release/publishers/publish-config.ts'
import type { Publisher, PublishFile } from '../../../release/publishers/publisher.ts'
import { type ReleaseDeps, surroundingsOf } from '../../../release/surroundings.ts'
import { type GitHubDouble, TOKEN } from './github-double.ts'

export const ENV = { TOKEN }

export function openDouble(
  { apiUrl }: GitHubDouble,
  config: Partial<GitHubConfig> = {},
  deps: ReleaseDeps = {},
): Publisher {
  return openGitHub(
    { repository: 'acme/agent', apiUrl, tokenEnv: 'TOKEN', ...config },
    surroundingsOf({ env: ENV, ...deps }),
  )
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function fileOf(text: string): PublishFile {
  return { size: text.length, sha256: sha256(bytesOf(text)), source: { bytes: bytesOf(text) } }
}

/** Names of a release's assets, by its tag. */
export function namesAt({ state }: GitHubDouble, tag: string): string[] {
  const release = [...state.releases.values()].find((one) => one.tag === tag)
  return [...(release?.assets.values() ?? [])].map(({ name }) => name).toSorted()
}

export function notesOf(events: readonly ReleaseEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'note' ? [event.text] : []))
}
