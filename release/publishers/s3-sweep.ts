// Parts of uploads that were never finished: nobody sees them, and everybody pays for them.

import { isMoultError } from '../../manifests/index.ts'
import type { Surroundings } from '../surroundings.ts'
import type { S3Connection } from './s3-client.ts'

/** Only under the lock: all uploads of artifacts that began before it was taken are those of runs that ended. */
export async function abortLeftUploads(s3: S3Connection, around: Pick<Surroundings, 'on'>): Promise<void> {
  const { sdk, client, bucket: Bucket, keyOf } = s3
  try {
    await s3.guard('bin/', async () => {
      let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}
      while (marker !== undefined) {
        const command: InstanceType<typeof sdk.ListMultipartUploadsCommand> = new sdk.ListMultipartUploadsCommand({
          Bucket,
          Prefix: keyOf('bin/'),
          ...marker,
        })
        const page = await client.send(command, { abortSignal: s3.signal() })
        for (const { Key, UploadId } of page.Uploads ?? [])
          await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch(ignoreGone)
        const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
        marker =
          IsTruncated === true && NextKeyMarker !== undefined
            ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
            : undefined
      }
    })
  } catch (error) {
    // A release does not need this; a lifecycle rule of the bucket does it as well.
    if (!isMoultError(error) || error.code === 'ERR_PUBLISH_CONFLICT') throw error
    around.on({ kind: 'note', text: `unfinished uploads were not looked for: ${error.message}` })
  }
}

function ignoreGone(error: unknown): void {
  if ((error as Error).name !== 'NoSuchUpload') throw error
}
