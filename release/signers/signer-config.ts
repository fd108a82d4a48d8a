// What `keys` of the configuration says about a role: where its private keys are.

import { KEYS_MAX, parseDuration, shape } from '../../manifests/index.ts'
import { either, oneOrMore, pathShape } from '../config-shapes.ts'

const { array, described, object, optional, parsed, string } = shape

const TIMEOUT_MAX_MS = 600_000

const variableName = string({
  pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
  max: 128,
  says: 'the name of an environment variable',
})
const timeout = parsed((text) => {
  const timeMs = parseDuration(text)
  return timeMs !== undefined && timeMs > 0 && timeMs <= TIMEOUT_MAX_MS ? text : undefined
}, 'a duration such as 60s, of at most 10m')

const variable = object({ env: variableName })
const command = object({
  command: described(
    'Program and arguments, run in the project folder without a shell.',
    array(string({ max: 4096 }), { min: 1, max: 64 }),
  ),
  public: described('Its public key: base64, or the path of a public key file.', pathShape),
  timeout: optional(described('How long it may take; default 60s.', timeout)),
})

/** Told apart by the member that only a command has. */
const program: shape.Shape<shape.ShapeOf<typeof variable> | shape.ShapeOf<typeof command>> = {
  check: (value, at) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, 'command')
      ? command.check(value, at)
      : variable.check(value, at),
  schema: { oneOf: [variable.schema, command.schema] },
}

export const signerShape = described(
  'A key file; {"env": NAME} for a variable that holds a seed in base64; or {"command": [...], "public": ...} for a program that gets the bytes on standard input and answers with the signature.',
  either(pathShape, program),
)
export const signersShape = described(
  'One signer, or all that are here of a role that several keys sign for.',
  oneOrMore(signerShape, KEYS_MAX),
)

export type SignerConfig = shape.ShapeOf<typeof signerShape>
export type CommandSignerConfig = shape.ShapeOf<typeof command>
