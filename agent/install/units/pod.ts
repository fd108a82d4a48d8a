import { commandOf, type ServiceOptions } from './service-options.ts'

const VOLUME = '/moult'
/** Of a label, less the room for what is added to it. */
const LABEL_MAX = 58

/** Where the home that is used lies in a pod. */
export function podHome(name: string): string {
  return `${VOLUME}/${name}`
}

/**
 * The home that `moult agent install` has laid out is part of the image, wherever it was laid out, and where an agent
 * starts; the one that it updates is a directory on a volume.
 */
export function podSpec(options: ServiceOptions): string {
  const { name, supervisor } = options
  const own = podHome(name)
  const label = labelOf(name)
  return `# An agent that updates itself inside its pod. Its home lies on a volume, since a container's own file system is reset
# when it restarts. The kubelet lets everybody write to the top of a volume, so home MUST be a directory in it.
# The image has the home that \`moult agent install\` has laid out as ${imageHome(name)}, and what the agent needs: for the
# launcher that is a POSIX shell.
apiVersion: v1
kind: Pod
metadata:
  name: ${JSON.stringify(label)}
spec:
  restartPolicy: Always
${supervisor === undefined ? launcherParts(options, own) : supervisorParts(options, own)}
      volumeMounts:
        - name: ${JSON.stringify(`${label}-home`)}
          mountPath: ${VOLUME}
  # From SIGTERM to SIGKILL: more than the 30 seconds that an agent may take to finish its work.
  terminationGracePeriodSeconds: 45
  volumes:
    - name: ${JSON.stringify(`${label}-home`)}
      emptyDir: {} # goes with the pod, which then starts from its image; a claim keeps home
`
}

function launcherParts(options: ServiceOptions, own: string): string {
  return `  containers:
    - name: agent
      image: ${imageOf(options)}
      command: ${listOf(commandOf({ ...options, home: imageHome(options.name) }))}
      env:
        # The home in the image is only the start: the launcher copies it here, and again when a newer image comes.
        - name: MOULT_VOLUME
          value: ${JSON.stringify(own)}
        # The kubelet counts exit 100 as a crash and waits longer each time, so the launcher stays and restarts by itself.
        - name: MOULT_LAUNCH
          value: stay`
}

/** Copies the home of the image, $0, to the volume once, and runs the rest. Not in an init container: podman 4.3 fails on one when the pod restarts always. */
const COPY_HOME = `[ -e "$1" ] || { rm -rf "$1.new" && cp -R "$0" "$1.new" && sync && mv "$1.new" "$1"; } || exit; shift; exec "$@"`

function supervisorParts(options: ServiceOptions, own: string): string {
  const command = ['/bin/sh', '-c', COPY_HOME, imageHome(options.name), own, ...commandOf(options)]
  return `  containers:
    - name: agent
      image: ${imageOf(options)}
      # The home in the image is the start of each new volume. A newer image does not change what is on an old one.
      command: ${listOf(command)}`
}

function imageHome(name: string): string {
  return `/opt/${name}`
}

/** Names of Kubernetes have no dots and underscores in all places. */
function labelOf(name: string): string {
  return name
    .slice(0, LABEL_MAX)
    .replaceAll(/[._-]+/g, '-')
    .replace(/-$/, '')
}

/** In a command `$(NAME)` stands for a variable of the pod, unless the dollar sign is doubled. */
function listOf(words: readonly string[]): string {
  return JSON.stringify(words).replaceAll('$(', () => '$$(')
}

function imageOf({ name }: ServiceOptions): string {
  return `${JSON.stringify(`localhost/${name}:1`)} # where your image is`
}
