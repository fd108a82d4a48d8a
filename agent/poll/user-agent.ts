import { platformOf } from '../../manifests/index.ts'
import { MOULT_VERSION } from '../moult-version.ts'

/** Product and comment form of RFC 9110, in an alphabet that no access log mangles. */
export function userAgentOf(name: string, version: string | undefined, channel: string): string {
  return `${name}/${version ?? 'none'} (${platformOf(process.platform, process.arch)}; ${channel}) moult/${MOULT_VERSION}`
}
