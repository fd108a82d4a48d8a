// What the soak's host offers: one version at a time, good or bad in a way that its name tells.

import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { formatDate, platformOf } from '../../manifests/index.ts'
import { bundleScript } from '../../release/build/bundle-script.ts'
import { makeManifest } from '../../test/fixtures/signed-manifest.ts'

const PLACEHOLDER = '0.0.0-soak.placeholder'
const DAY_MS = 86_400_000

/**
 * `embedded`: a built Node agent with the updater inside, started by the launcher. `supervised`: a shell script that
 * knows nothing of updates, under `moult agent run`.
 */
export type SoakMode = 'embedded' | 'supervised'

export const BAD_KINDS: Readonly<Record<SoakMode, readonly string[]>> = {
  embedded: ['crash', 'abort', 'late', 'unhealthy', 'mute'],
  supervised: ['crash', 'abort', 'late', 'unhealthy'],
}

/** A program in plain shell that behaves as soak-agent.ts does. */
const SCRIPT = `#!/bin/sh
version=${PLACEHOLDER}
kind=\${version#*+}
[ "$kind" != "$version" ] || kind=good
set -- "$1" "$(sha256sum "$0")"
printf '%s %s %s\\n' "$version" "\${2%% *}" "\${MOULT_PREFLIGHT:+preflight}\${MOULT_TRIAL:--}" >>"$SOAK_LANE/ran"
if [ "$1" = --version ]; then echo "$version"; exit; fi
case $kind in
  crash) exit 41 ;;
  abort) kill -ABRT $$ ;;
  late) sleep 0.15; exit 41 ;;
esac
echo "$kind" >"$SOAK_LANE/kind.$$" && mv "$SOAK_LANE/kind.$$" "$SOAK_LANE/kind"
exec sleep 100000
`

/** The text of a program of any version, with a placeholder in its place. */
export async function programTemplate(mode: SoakMode): Promise<string> {
  if (mode === 'supervised') return SCRIPT
  const entry = new URL('soak-agent.ts', import.meta.url).pathname
  return bundleScript({ entry, version: PLACEHOLDER, platform: 'linux-amd64', minify: true })
}

export class Offers {
  readonly #directory: string
  readonly #template: string
  /** SHA-256 of every version that was ever offered. */
  readonly hashes = new Map<string, string>()
  version = ''
  sequence = 0

  constructor(directory: string, template: string) {
    this.#directory = directory
    this.#template = template
    mkdirSync(directory)
  }

  /** @param kind how it fails; absent: it is sound */
  publish(kind?: string): string {
    this.sequence += 1
    this.version = `1.0.${this.sequence}${kind === undefined ? '' : `+${kind}`}`
    const artifact = Buffer.from(this.#template.replaceAll(PLACEHOLDER, this.version))
    const sha256 = createHash('sha256').update(artifact).digest('hex')
    this.hashes.set(this.version, sha256)
    this.#write(`${this.sequence}.bin`, artifact)
    const binary = { url: `${this.sequence}.bin`, sha256, size: artifact.length }
    const { bytes } = makeManifest({
      release: { version: this.version, binaries: { [platformOf(process.platform, process.arch)]: binary } },
      rollout: {
        sequence: this.sequence,
        issued: formatDate(Date.now()),
        expires: formatDate(Date.now() + DAY_MS),
        stages: [{ at: formatDate(Date.now() - DAY_MS), percent: 100 }],
      },
    })
    this.#write('version.json', bytes)
    return this.version
  }

  #write(name: string, bytes: Uint8Array): void {
    const path = join(this.#directory, name)
    writeFileSync(`${path}.new`, bytes)
    renameSync(`${path}.new`, path)
  }
}
