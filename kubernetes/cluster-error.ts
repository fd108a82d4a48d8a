import { isMoultError, MoultError } from '../manifests/index.ts'

/** A failure of the client as a typed error, without headers and bodies: those may hold tokens. */
export function toClusterError(error: unknown, subject: string, server: string): MoultError {
  if (isMoultError(error)) return error
  const status = statusOf(error)
  if (status === undefined) return unreachable(error, server)
  const said = messageOf(error)
  const details = { status, subject }
  const fail = (reason: string): MoultError =>
    new MoultError('ERR_CLUSTER_FAILED', `${reason}: ${subject}`, { details })
  const refuse = (reason: string, hint: string): MoultError =>
    new MoultError('ERR_CLUSTER_REFUSED', `${reason}: ${subject}`, { hint, details })
  switch (status) {
    case 401:
      return refuse('the API server does not know this account', 'Check the token or certificate of the kubeconfig.')
    case 403:
      return refuse(said ?? 'not allowed', 'The Role of examples/kubernetes gives the rights that are needed.')
    case 404:
      return refuse('there is no such object', 'Check the name and --namespace; a ConfigMap for --state has to exist.')
    case 409:
    case 422:
      return fail(`changed by somebody else at the same time (${said ?? status})`)
    default:
      return status === 429 || status >= 500
        ? fail(`the API server cannot do that now (status ${status})`)
        : refuse(said ?? `status ${status}`, 'The API server does not accept this request.')
  }
}

function unreachable(error: unknown, server: string): MoultError {
  const reason = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown'
  return new MoultError('ERR_CLUSTER_FAILED', `no answer (${reason}): the API server ${server}`, {
    hint: 'Is the cluster up, and is this the right kubeconfig and --context?',
    details: { server },
    cause: error,
  })
}

function statusOf(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'number' ? code : undefined
}

/** The sentence of a `Status` object; the client gives it as text or as an object. */
function messageOf(error: unknown): string | undefined {
  try {
    const { body } = error as { body?: unknown }
    const status = typeof body === 'string' ? (JSON.parse(body) as unknown) : body
    const message = (status as { message?: unknown } | null | undefined)?.message
    return typeof message === 'string' ? message.replace(/[^\x20-\x7e]/g, '?').slice(0, 300) : undefined
  } catch {
    return undefined
  }
}
