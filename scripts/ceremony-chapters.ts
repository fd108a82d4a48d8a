// The text and the commands of docs/ceremonies.md. What the commands print is recorded by record-ceremonies.ts.

export type Step =
  /** A paragraph. */
  | { readonly say: string }
  /** A command and what it prints; `at` is the machine where it runs. */
  | { readonly run: string; readonly at?: string | undefined; readonly status?: number; readonly hides?: boolean }
  | { readonly write: string; readonly text: string; readonly at?: string | undefined }
  | { readonly copy: readonly [from: string, to: string] }
  | { readonly keys: readonly string[]; readonly at?: string | undefined }
  | { readonly learn: string; readonly at?: string | undefined }
  | { readonly config: Readonly<Record<string, string>>; readonly at?: string | undefined }

export interface Chapter {
  readonly title: string
  readonly steps: readonly Step[]
}

const AGENT = '#!/bin/sh\necho 1.0.0\n'

export const CHAPTERS: readonly Chapter[] = [
  {
    title: '',
    steps: [
      {
        say: `# Ceremonies

<!-- Written by scripts/record-ceremonies.ts from real runs; key ids, digests and dates are replaced by fixed ones. -->

Who may sign what is written in root documents, \`trust/<n>.root.json\`. A change makes the next one:

    rotate, add-key, remove-key  ->  sign, sign, ...  ->  verify  ->  publish

The next root is a draft, \`trust/draft.root.json\`, until it is complete: one file that is carried to everyone who signs.
Signing needs nothing but this package, the draft, the root before it and a key file; no network, no configuration. Every
command takes \`--help\` and \`--json\`, and those that change something take \`--plan\`.

A root is complete when a threshold of the root keys **before** it and a threshold of **its own** root keys have signed.
What to do when a key is lost or stolen, in short, is in [SECURITY.md](../SECURITY.md).`,
      },
    ],
  },
  {
    title: 'From one key to separate ones',
    steps: [
      { write: 'agent.sh', text: AGENT },
      { run: 'moult init --name tide-gauge --type files --agent agent.sh', hides: true },
      { run: 'moult release 1.0.0', hides: true },
      { learn: 'moult' },
      {
        say: `\`moult init\` made one key that plays every role. Now three people hold a root key each, of which two must sign; the
release machine and the rollout job get keys of their own. Each makes a key where it stays, and hands out the public
half (\`moult keys public\`); here they lie in one folder to be short.`,
      },
      { run: 'moult keys new keys/alice.key' },
      { keys: ['bob', 'carol', 'release', 'rollout'] },
      { say: 'The plan first. Nothing is written.' },
      {
        run: 'moult root rotate --role root --remove {moult} --add keys/alice.key --add keys/bob.key --add keys/carol.key --threshold 2 --plan',
      },
      { say: 'Then the draft, in three steps.' },
      {
        run: 'moult root rotate --role root --remove {moult} --add keys/alice.key --add keys/bob.key --add keys/carol.key --threshold 2',
        hides: true,
      },
      { run: 'moult root rotate --role release --remove {moult} --add keys/release.key', hides: true },
      { run: 'moult root rotate --role rollout --remove {moult} --add keys/rollout.key' },
      {
        say: `The old key signs, because root 1 lets it decide; two of the new root keys sign, which shows that they exist. At a
terminal \`sign\` asks; in a script \`--yes\` says that somebody has looked.`,
      },
      { run: 'moult root sign --key keys/moult.key --yes' },
      { run: 'moult root sign --key keys/alice.key --yes', hides: true },
      { run: 'moult root verify', status: 22 },
      { run: 'moult root sign --key keys/carol.key --yes', hides: true },
      { run: 'moult root verify' },
      {
        say: `The live release was signed by the old key, which counts no longer. It is signed anew by the new release key: the same
bytes, another signature. So that nothing is signed by mistake, its version has to be named. \`keys\` in
\`moult.config.json\` names the new keys by now.`,
      },
      { run: 'moult root publish --plan' },
      { config: { release: 'keys/release.key', rollout: 'keys/rollout.key' } },
      { run: 'moult root publish --resign 1.0.0' },
      { run: 'moult root show' },
      {
        say: 'The old key is of no use any more once all agents have seen root 2; those that sleep see it when they wake up.',
      },
    ],
  },
  {
    title: 'A root key changes hands, on machines without a network',
    steps: [
      { keys: ['dora'] },
      {
        say: 'Carol leaves, Dora comes. The draft is made in the project, and travels on a stick from desk to desk.',
      },
      { run: 'moult root rotate --role root --remove {carol} --add keys/dora.key', hides: true },
      { copy: ['project/trust/draft.root.json', 'alice/stick/draft.root.json'] },
      { copy: ['project/trust/2.root.json', 'alice/2.root.json'] },
      { copy: ['project/keys/alice.key', 'alice/alice.key'] },
      {
        say: `Alice signs on her own machine, against **her own copy** of root 2. A draft that comes with a false copy of the root
before it could show a harmless difference; all keys are listed for the same reason.`,
      },
      { run: 'moult root sign --key alice.key --file stick/draft.root.json --previous 2.root.json --yes', at: 'alice' },
      { copy: ['alice/stick/draft.root.json', 'bob/stick/draft.root.json'] },
      { copy: ['project/trust/2.root.json', 'bob/2.root.json'] },
      { copy: ['project/keys/bob.key', 'bob/bob.key'] },
      { say: 'Bob does the same. Both of them stay, so their two signatures reach both thresholds.' },
      { run: 'moult root sign --key bob.key --file stick/draft.root.json --previous 2.root.json --yes', at: 'bob' },
      { copy: ['bob/stick/draft.root.json', 'project/trust/draft.root.json'] },
      { run: 'moult root publish' },
      {
        say: `This is also what to do when **a root key is lost or stolen** while as many as the threshold remain: the others replace
it. The root is published as soon as it is complete; a thief with fewer keys than the threshold can do nothing alone.`,
      },
    ],
  },
  {
    title: 'A leaked release key',
    steps: [
      { keys: ['release-2'] },
      {
        say: `The thief can sign versions; with the rollout key, or with a rollout of yours that he waits for, agents would take them.
Two root keys replace the release key. The new one is made where it stays, in a safe, and never comes to the machine
that publishes.`,
      },
      { run: 'moult root rotate --role release --remove {release} --add keys/release-2.key' },
      { run: 'moult root sign --key keys/alice.key --yes', hides: true },
      { run: 'moult root sign --key keys/bob.key --yes', hides: true },
      { config: { rollout: 'keys/rollout.key' } },
      { run: 'moult root publish', status: 22 },
      {
        say: `Where the new release key is, the live release is signed anew. What is printed is compared with what was built; the
file with the signature is carried back.`,
      },
      { copy: ['project/trust', 'safe/trust'] },
      { copy: ['project/updates/version.json', 'safe/version.json'] },
      { copy: ['project/keys/release-2.key', 'safe/release-2.key'] },
      { run: 'moult root sign-release version.json --key release-2.key --yes', at: 'safe' },
      { copy: ['safe/trust/1.0.0.release.json', 'project/trust/1.0.0.release.json'] },
      { run: 'moult root publish' },
      {
        say: `If the live release is the **thief's own**, do not sign it anew: \`moult root publish --keep-manifest\` puts the root in
place, and a release with a higher version than the thief's carries it to everyone. \`releases/<version>.json\` is never
rewritten: it keeps the signatures that it had, and the live manifest carries the ones that count.`,
      },
    ],
  },
  {
    title: 'A leaked rollout key',
    steps: [
      { keys: ['rollout-2'] },
      {
        say: `The thief can widen, pause and refresh what was released, and use up sequence numbers; he cannot introduce bytes. The
release stays as it is, so the release key is not needed.`,
      },
      { run: 'moult root rotate --role rollout --remove {rollout} --add keys/rollout-2.key' },
      { run: 'moult root sign --key keys/alice.key --yes', hides: true },
      { run: 'moult root sign --key keys/bob.key --yes', hides: true },
      { config: { rollout: 'keys/rollout-2.key' } },
      { run: 'moult root publish' },
      {
        say: `The rollout goes on with the terms of the live one, which may be the thief's: look at them with \`moult verify\` and set
them with \`moult rollout set\`. If he had used up the numbers, they begin again at the seconds since 1970.`,
      },
    ],
  },
  {
    title: 'All root keys lost',
    steps: [
      {
        say: `Nobody can make another root, by design: whoever could, could also do it without you. The release and rollout keys go on
working until the root expires. Use that time. Begin a new project with new keys and publish it to **another place**:`,
      },
      { keys: ['erin', 'frank', 'grace', 'release', 'rollout'], at: 'new' },
      {
        run: 'moult root init --name tide-gauge --threshold 2 --keys keys/erin.key,keys/frank.key,keys/grace.key --release-keys keys/release.key --rollout-keys keys/rollout.key',
        at: 'new',
      },
      { run: 'moult root sign --key keys/erin.key --yes', at: 'new', hides: true },
      { run: 'moult root sign --key keys/grace.key --yes', at: 'new', hides: true },
      { run: 'moult root publish', at: 'new' },
      {
        say: `Then pin it **by hand on each machine**: remove \`root.json\`, \`state.json\` and \`state.json.bak\` from the home, and run
\`moult agent install --root <new root> --server <new place>\` again. No agent does this by itself.`,
      },
    ],
  },
]
