// The update server of the soaks: it offers one version at a time, signed with the keys of the tests.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import { formatDate, platformOf, sha256 } from '../manifests/index.ts'
import { makeManifest } from '../test/fixtures/signed-manifest.ts'

const DAY_MS = 86_400_000
/** Artifacts before the last ones can never be asked for again. */
const ARTIFACTS_KEPT = 3

export class SoakHost {
  readonly #artifactOf: (version: string) => Buffer
  readonly #artifacts = new Map<string, Buffer>()
  readonly #server: Server
  #manifest: Uint8Array = Buffer.alloc(0)
  #count = 0

  constructor(artifactOf: (version: string) => Buffer) {
    this.#artifactOf = artifactOf
    this.#server = createServer(({ url = '' }, response) => {
      const body = url === '/version.json' ? this.#manifest : this.#artifacts.get(url.slice(1))
      response.writeHead(body === undefined ? 404 : 200).end(body)
    })
  }

  /** @returns the URL that agents poll */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** How many versions were offered. */
  get count(): number {
    return this.#count
  }

  get version(): string {
    return `1.0.${this.#count - 1}`
  }

  publishNext(): void {
    this.#count += 1
    const { version } = this
    const artifact = this.#artifactOf(version)
    this.#artifacts.set(version, artifact)
    for (const old of [...this.#artifacts.keys()].slice(0, -ARTIFACTS_KEPT)) this.#artifacts.delete(old)
    const binary = { url: version, sha256: sha256(artifact), size: artifact.length }
    const [issued, expires] = [formatDate(Date.now()), formatDate(Date.now() + DAY_MS)]
    this.#manifest = makeManifest({
      release: { version, binaries: { [platformOf(process.platform, process.arch)]: binary } },
      rollout: { sequence: this.#count, issued, expires },
    }).bytes
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
