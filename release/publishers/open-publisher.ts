import { resolve } from 'node:path'

import type { Config } from '../config.ts'
import { type ReleaseDeps, surroundingsOf } from '../surroundings.ts'
import { DEFAULT_PUBLISH_PATH } from './publish-config.ts'
import type { Publisher } from './publisher.ts'

/**
 * The place that the configuration publishes to. Each adapter is loaded when it is needed: the client of a service is
 * half a second of loading.
 * @param dir the folder of the configuration
 * @throws MoultError ERR_CONFIG_*
 */
export async function openPublisher(
  { publish }: Pick<Config, 'publish'>,
  dir: string,
  deps: ReleaseDeps = {},
): Promise<Publisher> {
  const around = surroundingsOf(deps)
  if (publish !== undefined && 's3' in publish) {
    const { openS3 } = await import('./s3.ts')
    return openS3(publish.s3, around)
  }
  if (publish !== undefined && 'github' in publish) {
    const { openGitHub } = await import('./github.ts')
    return openGitHub(publish.github, around)
  }
  const { openDirectory } = await import('./directory.ts')
  return openDirectory(resolve(dir, publish?.path ?? DEFAULT_PUBLISH_PATH), around.now)
}

/** Relative URLs have no meaning where the manifest lies in no folder with the artifacts: then the place names the base. */
export function withBaseUrl(config: Config, { baseUrl }: Publisher): Config {
  return baseUrl === undefined ? config : { baseUrl, ...config }
}
