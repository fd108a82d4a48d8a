/** An image by its content: whoever can move a tag cannot change what this names. */
export interface ContainerImage {
  /** With the registry, without tag and digest. */
  readonly repository: string
  readonly tag?: string
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
}

const HOST = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?`
const NAME = String.raw`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*`
const REFERENCE = new RegExp(
  String.raw`^(?<repository>${HOST}${NAME}(?:/${NAME})*)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$`,
)
const REFERENCE_MAX_CHARS = 512

/** A reference as it stands in a pod, with or without a digest; undefined for text that is none. */
export function parseImageReference(
  text: string,
): { repository: string; tag?: string | undefined; digest?: string | undefined } | undefined {
  const { repository, tag, digest } =
    (text.length <= REFERENCE_MAX_CHARS ? REFERENCE.exec(text)?.groups : undefined) ?? {}
  return repository === undefined ? undefined : { repository, tag, digest }
}

/** `registry.example.com/agent@sha256:...`, optionally with a tag; undefined for a reference that a tag alone decides. */
export function parseContainerImage(text: string): ContainerImage | undefined {
  const { repository, tag, digest } = parseImageReference(text) ?? {}
  if (repository === undefined || digest === undefined) return undefined
  return { repository, ...(tag === undefined ? {} : { tag }), digest }
}
