// `publish` of the configuration: one form for each kind of place.

import { nameShape, shape } from '../../manifests/index.ts'
import { byMember, httpUrlShape, pathShape } from '../config-shapes.ts'

const { boolean, described, object, oneOf, optional, record, string } = shape

export const DEFAULT_PUBLISH_PATH = './updates'

const url = optional(
  described('Where agents fetch what is published here: a release is read back through it.', httpUrlShape),
)

const directory = object({
  type: oneOf('directory'),
  path: described('Default ./updates.', pathShape),
  url,
})

const s3 = object({
  bucket: described('Name of the bucket; it must exist.', string({ pattern: /^[!-~]+$/, says: 'a bucket' })),
  prefix: optional(
    described(
      'Everything lies below it; default: the top of the bucket.',
      string({ pattern: /^[\w.!*'()-]+(?:\/[\w.!*'()-]+)*\/?$/, max: 512, says: 'a prefix such as agents/heartbeat' }),
    ),
  ),
  region: optional(
    described(
      'Default: of the environment or the profile.',
      string({ pattern: /^[a-z0-9-]+$/, max: 64, says: 'a region such as eu-central-1' }),
    ),
  ),
  endpoint: optional(
    described(
      'A compatible service, e.g. https://minio.example.com; default: AWS_ENDPOINT_URL_S3, or Amazon.',
      httpUrlShape,
    ),
  ),
  pathStyle: optional(
    described('Buckets as a part of the path and not of the host name; default: true with an endpoint.', boolean()),
  ),
  profile: optional(described('Of ~/.aws/config; default: the standard credential chain.', string({ max: 128 }))),
  sse: optional(described('Server-side encryption.', oneOf('AES256', 'aws:kms'))),
  kmsKey: optional(described('With sse aws:kms: the key, if not the default one.', string())),
  tags: optional(
    described('Tags of every object.', record(/^[\w .:/=+@-]{1,128}$/, string({ max: 256 }), { min: 1, max: 10 })),
  ),
  conditional: optional(
    described(
      'False: go on with a service that has no conditional writes; then nothing keeps two releases apart.',
      boolean(),
    ),
  ),
})

const github = object({
  repository: optional(
    described(
      'As owner/name, or host/owner/name; default: GITHUB_REPOSITORY. Agents need no account, so it has to be public.',
      string({
        pattern: /^(?:[\w.-]+(?::\d+)?\/)?[\w.-]+\/[\w.-]+$/,
        max: 256,
        says: 'a repository such as owner/name',
      }),
    ),
  ),
  apiUrl: optional(
    described('Of a GitHub of your own; default: GITHUB_API_URL, else of GH_HOST, else github.com.', httpUrlShape),
  ),
  tokenEnv: optional(
    described(
      'The variable with the token; default: GH_TOKEN or GITHUB_TOKEN, and GH_ENTERPRISE_TOKEN for a GitHub of your own.',
      string({ pattern: /^[A-Za-z_]\w*$/, max: 128, says: 'the name of a variable' }),
    ),
  ),
  latest: optional(
    described(
      'The channel whose manifest is the latest release of the repository; default stable. Others are without a manifest for a moment when it is replaced.',
      nameShape,
    ),
  ),
})

export const publishShape = byMember({
  type: directory,
  s3: object({ s3, url }),
  github: object({ github, url }),
})

export type PublishConfig = shape.ShapeOf<typeof publishShape>
export type S3Config = shape.ShapeOf<typeof s3>
export type GitHubConfig = shape.ShapeOf<typeof github>
