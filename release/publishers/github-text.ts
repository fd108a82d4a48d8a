// What people read on the page of the releases.

import { isHistory } from './github-layout.ts'
import { claimOf } from './publish-conflict.ts'
import type { ReleaseText } from './github-releases.ts'

/** @param bytes a manifest; what it claims is shown, and whoever uses it verifies it */
export function latestText(channel: string, bytes: Uint8Array, webUrl: string): ReleaseText {
  const claim = claimOf(bytes)
  if (claim === undefined) return { name: channel, body: 'For the updater of the agents.' }
  const { version, sequence } = claim
  return {
    name: `${version} (${channel}, ${sequence})`,
    body: `What agents on the channel ${channel} are offered: version [${version}](${webUrl}/releases/tag/bin/${version}).`,
  }
}

export function channelText(channel: string): ReleaseText {
  return {
    name: `Channel ${channel}`,
    body: `What agents on the channel ${channel} are offered, and what its last release has to remember. Keep it.`,
  }
}

export function filesText(tag: string): ReleaseText {
  const version = /^bin\/(.+)$/.exec(tag)?.[1]
  if (version !== undefined) return { name: version, body: `The signed files of version ${version}.` }
  if (isHistory(tag))
    return { name: tag.slice(0, 20), body: 'What agents were offered once: for `moult verify --history`.' }
  return { name: tag, body: 'Signed files for the updater of the agents.' }
}
