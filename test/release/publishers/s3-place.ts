// Places in a bucket for tests, each below a prefix of its own.

import { randomBytes } from 'node:crypto'

import { openS3 } from '../../../release/publishers/s3.ts'
import type { S3Config } from '../../../release/publishers/publish-config.ts'
import type { Publisher } from '../../../release/publishers/publisher.ts'
import { type ReleaseDeps, surroundingsOf } from '../../../release/surroundings.ts'
import { ACCESS_KEY, SECRET_KEY } from './ceph-gateway.ts'

/** For this process and its children, which find them as any program does. */
export function useTestCredentials(): void {
  process.env['AWS_ACCESS_KEY_ID'] = ACCESS_KEY
  process.env['AWS_SECRET_ACCESS_KEY'] = SECRET_KEY
  // The machine of a developer may have others.
  process.env['AWS_CONFIG_FILE'] = '/dev/null'
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/dev/null'
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
}

export async function makeBucket(endpoint: string, bucket: string): Promise<void> {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3')
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
}

export function freshPrefix(): string {
  return `tests/${randomBytes(6).toString('hex')}`
}

export function openPlace(
  config: Pick<S3Config, 'bucket' | 'endpoint'> & Partial<S3Config>,
  deps: ReleaseDeps = {},
): Promise<Publisher> {
  return openS3({ prefix: freshPrefix(), ...config }, surroundingsOf({ env: {}, ...deps }))
}
