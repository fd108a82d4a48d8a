// Every state of the disk that a power cut, or a kill -9, after any step of a recording may leave behind, by the rules
// of file-system-model.ts. Equal states are one.
//
// After each step: all combinations of lost and kept changes of names while there are up to SUBSETS_MAX of them; beyond
// that none, all, each prefix, each one and each two missing or alone, and a sample. Each of these with the data of files
// lost, whole, or in part; of several such files each by itself, and all alike.

import { FileSystemModel, type NameChange } from './file-system-model.ts'
import { applyChange, type DataChange, type FileNode, treeOf } from './model-nodes.ts'
import type { Operation } from './operations.ts'
import { hashTree, type Tree } from './tree.ts'

const SUBSETS_MAX = 8
const SAMPLE_SUBSETS = 100

export interface CrashState {
  readonly tree: Tree
  /** The number of operations that had been done. */
  readonly after: number
  /** The last mark before the crash: what was promised by then. */
  readonly mark: string
}

export interface Enumeration {
  readonly states: readonly CrashState[]
  /** Before equal ones were put together. */
  readonly generated: number
  /** What is there when nothing crashes. */
  readonly end: Tree
}

/** @param random in [0, 1), for the samples */
export function enumerateCrashStates(start: Tree, operations: readonly Operation[], random: () => number): Enumeration {
  const model = new FileSystemModel(start)
  const states = new Map<string, CrashState>()
  let [mark, generated] = ['', 0]
  const add = (tree: Tree, after: number): void => {
    generated += 1
    // The last one stands: where one state may come about before and after a promise, the promise holds it.
    const key = hashTree(tree)
    states.delete(key)
    states.set(key, { tree, after, mark })
  }
  const addAll = (after: number): void => {
    add(model.seen(), after)
    for (const tree of powerCuts(model, random)) add(tree, after)
  }
  addAll(0)
  for (const [index, operation] of operations.entries()) {
    if (operation.kind === 'mark') mark = operation.name
    else if (operation.kind === 'write') for (const torn of tornWrites(model, operation)) add(torn, index)
    model.apply(operation)
    addAll(index + 1)
  }
  return { states: [...states.values()], generated, end: model.seen() }
}

/** A process that is killed inside of a write leaves the beginning of it. */
function* tornWrites(model: FileSystemModel, write: Operation & { kind: 'write' }): Generator<Tree> {
  const bytes = write.bytes.subarray(0, write.bytes.length >> 1)
  const seen = new Map(model.seen())
  const entry = seen.get(write.path)
  if (entry?.kind !== 'file') return
  seen.set(write.path, { ...entry, content: applyChange(entry.content, { ...write, bytes }) })
  yield seen
}

function* powerCuts(model: FileSystemModel, random: () => number): Generator<Tree> {
  const files = model.pendingFiles()
  for (const kept of subsets(model.pendingNames(), random)) {
    const names = model.namesAfter(new Set(kept))
    const reached = new Set<FileNode>()
    const tree = (choice: ReadonlyMap<FileNode, FileState>): Tree =>
      treeOf(
        model.root,
        (directory) => names.get(directory) ?? new Map(),
        (file) => {
          reached.add(file)
          return choice.get(file) ?? durableState(file)
        },
      )
    yield tree(new Map())
    const dirty = files.filter((file) => reached.has(file))
    if (dirty.length === 0) continue
    yield tree(new Map(dirty.map((file) => [file, { content: file.content, mode: file.mode }])))
    for (const file of dirty) {
      for (const state of fileStates(file)) {
        yield tree(new Map([[file, state]]))
        if (dirty.length > 1) {
          const others = dirty.map((each) => [each, { content: each.content, mode: each.mode }] as const)
          yield tree(new Map([...others, [file, state]]))
        }
      }
    }
  }
}

interface FileState {
  readonly content: Uint8Array
  readonly mode: number
}

function durableState({ durableContent, durableMode }: FileNode): FileState {
  return { content: durableContent, mode: durableMode }
}

function* fileStates(file: FileNode): Generator<FileState> {
  const { content, durableContent, changes, mode, durableMode } = file
  const contents = [durableContent, content]
  if (changes.length > 0) {
    contents.push(new Uint8Array(), new Uint8Array(content.length))
    // The size is there and the new bytes are not, or only some of them.
    contents.push(changes.map(asZeros).reduce(applyChange, durableContent))
    contents.push(changes.map(firstHalf).reduce(applyChange, durableContent))
    const last = changes.at(-1)
    if (last !== undefined)
      contents.push([...changes.slice(0, -1), firstHalf(last)].reduce(applyChange, durableContent))
    const [first, ...rest] = changes
    if (first !== undefined && rest.length > 0)
      contents.push([asZeros(first), ...rest].reduce(applyChange, durableContent))
  }
  for (const each of contents) {
    yield { content: each, mode }
    if (mode !== durableMode) yield { content: each, mode: durableMode }
  }
}

function asZeros(change: DataChange): DataChange {
  return change.kind === 'write' ? { ...change, bytes: new Uint8Array(change.bytes.length) } : change
}

function firstHalf(change: DataChange): DataChange {
  return change.kind === 'write' ? { ...change, bytes: change.bytes.subarray(0, change.bytes.length >> 1) } : change
}

function* subsets(changes: readonly NameChange[], random: () => number): Generator<readonly NameChange[]> {
  const { length } = changes
  if (length <= SUBSETS_MAX) {
    for (let mask = 0; mask < 1 << length; mask += 1) yield changes.filter((_, index) => (mask >> index) & 1)
    return
  }
  for (let end = 0; end <= length; end += 1) yield changes.slice(0, end)
  for (let one = 0; one < length; one += 1) {
    for (let other = one; other < length; other += 1) {
      const isPicked = (_: NameChange, index: number): boolean => index === one || index === other
      yield changes.filter(isPicked)
      yield changes.filter((change, index) => !isPicked(change, index))
    }
  }
  for (let sample = 0; sample < SAMPLE_SUBSETS; sample += 1) yield changes.filter(() => random() < 0.5)
}
