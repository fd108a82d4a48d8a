import { MoultError, sha256 } from '../manifests/index.ts'
import { DEFAULT_CHANNEL, manifestPath, releasePath } from './layout.ts'
import type { Project } from './open-project.ts'
import { openPublished, readSmall } from './published-source.ts'
import type { Publisher } from './publishers/publisher.ts'
import { parseReleased, type Released } from './released.ts'
import { step, type Surroundings } from './surroundings.ts'
import { verifyBinaries } from './verify-binary.ts'

/**
 * Checks a release that no manifest offers yet, by the place where it will be offered.
 * @throws MoultError ERR_NETWORK_*, ERR_MANIFEST_*, ERR_TRUST_* or ERR_BYTES_*
 */
export async function verifyRelease(
  { bytes, release }: Released,
  { place, baseUrl }: { place: string | Publisher; baseUrl: string | undefined },
  project: Project,
  around: Surroundings,
): Promise<void> {
  const source = openPublished(place, baseUrl)
  const path = releasePath(release.version)
  const found = await step(around, 'read back', path, () => readSmall(source, source.locate(path), around.signal))
  const published = parseReleased(found, release.version, project)
  if (sha256(found) !== sha256(bytes)) {
    throw new MoultError('ERR_TRUST_BINDING', `not the release that was published: ${path}`, { details: { path } })
  }
  // Its URLs are relative to `<base>`, where the manifest of the default channel lies; not every place has an address for that.
  await verifyBinaries(source, source.locate(manifestPath(DEFAULT_CHANNEL)), published.release, around)
}
