// moult.config.json: its shape, from which the published JSON Schema is printed (scripts/write-schemas.ts).

import {
  entryPathShape,
  FLAGS_MAX,
  nameShape,
  parseDuration,
  ROLLOUT_LIFETIME_MAX_MS,
  RULES_MAX,
  shape,
} from '../manifests/index.ts'
import { deltasShape } from './deltas/delta-config.ts'
import { either, httpUrlShape, pathShape } from './config-shapes.ts'
import { platformsShape } from './platform-shape.ts'
import { publishShape } from './publishers/publish-config.ts'
import { signersShape } from './signers/signer-config.ts'
import { parseFlags } from './rollout/flag-text.ts'
import { parseRule } from './rollout/rule-text.ts'
import { parseRate } from './rollout/spread.ts'
import { parseStages } from './stages.ts'

const { array, boolean, described, integer, object, oneOf, optional, parsed, ShapeMismatch, string, tagged } = shape

export const CONFIG_FILE = 'moult.config.json'
export const SCHEMA_REFERENCE = './node_modules/moult/schemas/moult.config.schema.json'
export const DEFAULT_PLATFORMS = ['linux-amd64', 'linux-arm64', 'darwin-arm64', 'windows-amd64'] as const
/** Folders of the published layout: a channel of this name would put its manifest among the immutable files. */
const RESERVED_CHANNELS = ['bin', 'history', 'releases', 'trust']

const path = pathShape
export const channelShape: shape.Shape<string> = {
  check(value, at) {
    const channel = nameShape.check(value, at)
    if (RESERVED_CHANNELS.includes(channel))
      throw new ShapeMismatch(at, 'a channel besides bin, history, releases and trust', channel)
    return channel
  },
  schema: { ...nameShape.schema, not: { enum: RESERVED_CHANNELS } },
}

const versionSource = tagged('from', {
  'package.json': object({ from: oneOf('package.json'), path: optional(described('Default package.json.', path)) }),
  'git-tag': object({ from: oneOf('git-tag') }),
  file: object({ from: oneOf('file'), path: described('A file that holds the version and nothing else.', path) }),
})

const build = tagged('type', {
  command: object({
    type: oneOf('command'),
    command: described(
      'Run once a platform, without a shell: a string is split at its spaces, and may hold no quotes, operators or variables. {os} {arch} {platform} {version} {name} {exe} {out} are filled in; the environment has MOULT_OS, MOULT_ARCH, MOULT_PLATFORM, MOULT_VERSION, MOULT_OUT, GOOS and GOARCH.',
      either(string({ max: 4096 }), array(string({ max: 4096 }), { min: 1 })),
    ),
    shell: optional(described('Run the command, then a string, by the shell.', boolean())),
    output: optional(described('The file that the command writes; default: a private one, given as {out}.', path)),
  }),
  files: object({
    type: oneOf('files'),
    path: described('The executable of each platform, e.g. bin/agent-{os}-{arch}{exe}.', path),
  }),
  script: object({
    type: oneOf('script'),
    entry: described('A TypeScript or JavaScript agent; becomes one executable file for the Node of the host.', path),
    minify: optional(boolean()),
  }),
  node: object({
    type: oneOf('node'),
    entry: described('A TypeScript or JavaScript agent; becomes one executable with its own Node.', path),
    minify: optional(boolean()),
    nodeVersion: optional(string({ pattern: /^\d+\.\d+\.\d+$/, says: 'a version of Node such as 26.3.0' })),
  }),
  directory: object({
    type: oneOf('directory'),
    path: described('The tree of each platform, e.g. out/{platform}.', path),
    entry: described('The program inside the tree.', entryPathShape),
    hooks: optional(
      described(
        'Programs inside the tree that each agent runs once at an update; they must bear to run again.',
        object({
          preUpdate: optional(described('Before the swap; when it fails, the old version stays.', entryPathShape)),
          postUpdate: optional(
            described('When the new version runs on trial; when it fails, the old one comes back.', entryPathShape),
          ),
        }),
      ),
    ),
  }),
})

const lifetime = parsed((text) => {
  const timeMs = parseDuration(text)
  return timeMs !== undefined && timeMs > 0 && timeMs <= ROLLOUT_LIFETIME_MAX_MS ? text : undefined
}, 'a duration such as 90d, of at most 400d')

/** Text that a reader of its own understands, and says better than a pattern what is wrong with it. */
function readable(read: (text: string, path: string) => unknown): shape.Shape<string> {
  const text = string({ max: 65_536 })
  return {
    check(value, at) {
      const checked = text.check(value, at)
      read(checked, at)
      return checked
    },
    schema: text.schema,
  }
}
const duration = parsed((text) => (parseDuration(text) === undefined ? undefined : text), 'a duration such as 30m')

const rollout = object({
  expires: optional(described('How long a rollout statement is good; default 90d.', lifetime)),
  percent: optional(described('Share of the fleet from the start; default 100.', integer({ max: 100 }))),
  stages: optional(
    parsed(
      (text) => (parseStages(text) === undefined ? undefined : text),
      'stages such as 0h:5%,24h:25%,48h:100%',
      4096,
    ),
  ),
  spread: optional(described('How long the agents of a stage are spread over, e.g. 30m.', duration)),
  maxRate: optional(
    described(
      'Instead of spread: at most so many downloads, e.g. 500/min, by fleetSize agents.',
      parsed((text) => (parseRate(text) === undefined ? undefined : text), 'downloads in a time, such as 500/min'),
    ),
  ),
  fleetSize: optional(described('How many agents the channel has.', integer({ min: 1 }))),
  poll: optional(described('Poll interval for the fleet, from 1m to 24h; agents may have another.', duration)),
  rules: optional(
    described(
      "What some agents get instead, e.g. 'label:ring=canary -> 100%'.",
      array(readable(parseRule), { max: RULES_MAX }),
    ),
  ),
  flags: optional(
    described(
      "Feature flags, e.g. 'parser=new 50%, old 50%'.",
      array(
        readable((text, at) => parseFlags([text], at)),
        { max: FLAGS_MAX },
      ),
    ),
  ),
})

export const configShape = object({
  $schema: optional(string()),
  name: described('Name of the agent; part of every signed statement.', nameShape),
  channel: optional(described('Default stable.', channelShape)),
  platforms: optional(described(`In Go's names; default ${DEFAULT_PLATFORMS.join(', ')}.`, platformsShape)),
  version: optional(described('Where the version comes from when the command names none.', versionSource)),
  build,
  jobs: optional(
    described('Builds at the same time; default: the number of processors.', integer({ min: 1, max: 64 })),
  ),
  compress: optional(
    described(
      'Also publish compressed artifacts: best, the default, may take a minute or two for them; fast takes seconds.',
      either(oneOf('best', 'fast'), boolean()),
    ),
  ),
  deltas: optional(described('Also publish what turns earlier releases into this one; default true.', deltasShape)),
  smoke: optional(
    described(
      'Run <artifact> --version before it is published; default: of the platform of this machine, and for the build type node of all that run here. False: run nothing; true: run all that can run here, which must print the version. By default the artifacts of the types files and directory need not.',
      boolean(),
    ),
  ),
  publish: optional(
    described('Where to publish: a directory, a bucket of S3, or releases of a GitHub repository.', publishShape),
  ),
  attest: optional(
    described(
      'Also publish what the agent is made of (SBOM) and what it was built from (provenance); default true.',
      boolean(),
    ),
  ),
  baseUrl: optional(described('Write absolute URLs that begin with this, for the simplest clients.', httpUrlShape)),
  root: optional(
    described('The root document that agents pin; default trust/1.root.json. Later roots lie beside it.', path),
  ),
  keys: optional(
    described(
      'Who signs what; default: the variable MOULT_KEY where it is set, else keys/moult.key.',
      object({ release: optional(signersShape), rollout: optional(signersShape) }),
    ),
  ),
  rollout: optional(rollout),
})

export type Config = shape.ShapeOf<typeof configShape>
export type BuildConfig = Config['build']
export type VersionSource = shape.ShapeOf<typeof versionSource>
