import { type KeyId, isMoultError, MoultError, type Root } from '../../manifests/index.ts'
import type { Config } from '../config.ts'
import type { Surroundings } from '../surroundings.ts'
import { openSigner, withoutKeys } from './open-signer.ts'
import type { Signer } from './signer.ts'
import type { SignerConfig } from './signer-config.ts'

export type OnlineRole = 'release' | 'rollout'
export type RoleSigners = Readonly<Record<OnlineRole, readonly Signer[]>>

const WITHOUT: Readonly<Record<OnlineRole, string>> = {
  release: 'Without the release key, `moult rollout` can change who gets what was released.',
  rollout: 'Without the rollout key, `moult release --no-rollout` prepares a release for who has it.',
}

/**
 * The signers of the roles that a job needs; the keys of the others may be elsewhere. All keys of a role that are here
 * sign, and they MUST be enough: what fewer sign than the root demands is refused before anything is built.
 * @throws MoultError ERR_CONFIG_KEY
 */
export async function openSigners(
  roles: readonly OnlineRole[],
  config: Pick<Config, 'keys'>,
  dir: string,
  root: Root,
  around: Surroundings,
): Promise<RoleSigners> {
  // A key of both roles is opened once, and so its passphrase is asked for once.
  const opened = new Map<string, Promise<Signer>>()
  const programEnv = withoutKeys(around.env, config)
  const open = (configured: SignerConfig | undefined): Promise<Signer> => {
    const name = JSON.stringify(configured ?? null)
    const signer = opened.get(name) ?? openSigner(configured, dir, around, programEnv)
    opened.set(name, signer)
    return signer
  }
  const signers: Record<OnlineRole, readonly Signer[]> = { release: [], rollout: [] }
  for (const role of roles) signers[role] = await openRole(role, config.keys?.[role] ?? [undefined], root, open, around)
  return signers
}

async function openRole(
  role: OnlineRole,
  configured: readonly (SignerConfig | undefined)[],
  root: Root,
  open: (configured: SignerConfig | undefined) => Promise<Signer>,
  { on }: Surroundings,
): Promise<Signer[]> {
  const { keys, threshold } = root.roles[role]
  const signers = new Map<KeyId, Signer>()
  const absent: MoultError[] = []
  for (const one of configured) {
    const signer = await open(one).catch((error: unknown) => {
      absent.push(asAbsent(error, role))
    })
    if (signer === undefined) continue
    if (!keys.has(signer.keyId)) throw notOfRole(role, signer.keyId, root)
    signers.set(signer.keyId, signer)
  }
  const [first] = absent
  if (first !== undefined && signers.size === 0) throw first
  if (signers.size < threshold) throw tooFew(role, [...signers.keys()], root)
  for (const { message } of absent) on({ kind: 'note', text: `${message}; the other keys of the role ${role} sign.` })
  return [...signers.values()]
}

/** A key that is elsewhere may be missing; one that is here and damaged may not. */
function asAbsent(error: unknown, role: OnlineRole): MoultError {
  if (!isMoultError(error) || error.details['missing'] !== true) throw error
  const { code, message, hint = '', details, cause } = error
  return new MoultError(code, message, { hint: `${hint} ${WITHOUT[role]}`.trim(), details, cause })
}

function notOfRole(role: OnlineRole, keyId: KeyId, root: Root): MoultError {
  return new MoultError('ERR_CONFIG_KEY', `not a key of the role ${role} in root ${root.version}: ${keyId}`, {
    hint: `Agents would refuse what it signs. Name another key in \`keys\`, or unset MOULT_KEY. ${WITHOUT[role]}`,
    details: { role, key: keyId, root: root.version, keys: [...root.roles[role].keys.keys()] },
  })
}

function tooFew(role: OnlineRole, have: readonly KeyId[], root: Root): MoultError {
  const { keys, threshold } = root.roles[role]
  const others = [...keys.keys()].filter((id) => !have.includes(id))
  const count = threshold - have.length
  return new MoultError(
    'ERR_CONFIG_KEY',
    `${have.length} of ${threshold} keys are here: the role ${role} of root ${root.version}`,
    {
      hint: `Still to sign: ${others.length === count ? 'all' : count} of ${others.join(', ')}. Name them in \`keys.${role}\`, as an array.`,
      details: { role, root: root.version, threshold, have, missing: others },
    },
  )
}
