// A link to one object that works without credentials until it expires: for a person or an installer, not for agents,
// since the addresses in a manifest carry no signature.

import { MoultError } from '../../manifests/index.ts'
import type { S3Connection } from './s3-client.ts'

/** The longest that the signature of S3 can say. */
const EXPIRES_MAX_MS = 7 * 24 * 3600 * 1000

/** What the SDK has built of a request when it is about to sign it. */
interface BuiltRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

interface Presigner {
  presign(request: BuiltRequest, options: { readonly expiresIn: number }): Promise<BuiltRequest>
}

/** @throws MoultError ERR_USAGE_INVALID for a time that no link lasts */
export async function linkTo(s3: S3Connection, path: string, expiresMs: number): Promise<string> {
  if (!(expiresMs >= 1000 && expiresMs <= EXPIRES_MAX_MS)) {
    throw new MoultError('ERR_USAGE_INVALID', 'expected a time from 1s to 7d: the expiry of a link', {
      hint: 'S3 signs links for at most seven days, and those of temporary credentials end with them.',
    })
  }
  return s3.guard(path, async () => {
    const { request, signer } = await buildRequest(s3, path)
    const host = request.headers['host'] ?? request.hostname
    // Only the host is signed: whoever opens the link sends headers of his own, and what comes back is not known yet.
    const plain = { ...request, headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }, query: {} }
    const signed = await signer.presign(plain, { expiresIn: Math.floor(expiresMs / 1000) })
    const url = new URL(`${signed.protocol}//${host}${signed.path}`)
    url.search = new URLSearchParams(signed.query).toString()
    return url.href
  })
}

/** Lets the SDK find the host and the path, and takes the request before it is sent. */
async function buildRequest(s3: S3Connection, path: string): Promise<{ request: BuiltRequest; signer: Presigner }> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  const command = new sdk.GetObjectCommand({ Bucket, Key: keyOf(path) })
  let built: { request: BuiltRequest; signer: Presigner } | undefined
  command.middlewareStack.add(
    (_next, context) => async (args) => {
      const scheme = (context as { authSchemes?: Parameters<typeof client.config.signer>[0][] }).authSchemes?.[0]
      const signer = (await client.config.signer(scheme)) as unknown as Presigner
      built = { request: (args as { request: BuiltRequest }).request, signer }
      return { output: { $metadata: {} }, response: undefined }
    },
    { step: 'finalizeRequest', name: 'takeRequest', priority: 'high' },
  )
  await client.send(command)
  if (built === undefined) throw new MoultError('ERR_BUG', 'the SDK built no request')
  return built
}
