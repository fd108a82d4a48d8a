// What the architecture test needs to know of a source file, read from TypeScript's own syntax tree: a regular expression
// would see imports in comments and templates. The files are virtual, so the test can hand in planted ones.

import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isEnumDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isExportSpecifier,
  isExternalModuleReference,
  isIdentifier,
  isImportDeclaration,
  isImportEqualsDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNamedImports,
  isNewExpression,
  isNoSubstitutionTemplateLiteral,
  isStringLiteral,
} from 'typescript/unstable/ast/is'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

const VIRTUAL_ROOT = '/virtual'
const VIRTUAL_CONFIG = `${VIRTUAL_ROOT}/tsconfig.json`

/** `type` imports leave no trace at run time; `lazy` ones run only when called. */
export type ImportKind = 'static' | 'lazy' | 'type'

export interface ModuleImport {
  readonly specifier: string
  readonly kind: ImportKind
  /** What is imported by name, types left out; `*` where it is the whole module. */
  readonly names: readonly string[]
  readonly line: number
}

export interface SourceModule {
  /** Relative to the project's root, with forward slashes. */
  readonly path: string
  readonly lineCount: number
  readonly imports: readonly ModuleImport[]
  readonly defaultExportLines: readonly number[]
  readonly enumLines: readonly number[]
  /** `new Date()` and `Date()`: a clock of its own. */
  readonly clockLines: readonly number[]
}

/** @param sources text by path, relative to the project's root */
export function readModules(sources: ReadonlyMap<string, string>): SourceModule[] {
  const files: Record<string, string> = {}
  for (const [path, text] of sources) files[`${VIRTUAL_ROOT}/${path}`] = text
  files[VIRTUAL_CONFIG] = JSON.stringify({
    compilerOptions: { noResolve: true, noLib: true, types: [], allowJs: true, allowImportingTsExtensions: true },
    files: [...sources.keys()],
  })
  const api = new API({ cwd: VIRTUAL_ROOT, fs: createVirtualFileSystem(files) })
  try {
    using snapshot = api.updateSnapshot({ openProjects: [VIRTUAL_CONFIG] })
    const project = snapshot.getProject(VIRTUAL_CONFIG)
    return [...sources].map(([path, text]) => {
      const tree = project?.program.getSourceFile(`${VIRTUAL_ROOT}/${path}`)
      if (tree === undefined) throw new Error(`not parsed: ${path}`)
      return readModule(path, text, tree)
    })
  } finally {
    api.close()
  }
}

function readModule(path: string, text: string, tree: Node): SourceModule {
  const imports: ModuleImport[] = []
  const defaultExportLines: number[] = []
  const enumLines: number[] = []
  const clockLines: number[] = []
  const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length

  const visit = (node: Node): void => {
    const found = importOf(node)
    if (found !== undefined) imports.push({ ...found, line: lineOf(found.end) })
    if (isDefaultExport(node)) defaultExportLines.push(lineOf(node.end))
    if (isEnumDeclaration(node)) enumLines.push(lineOf(node.name.end))
    if (readsClock(node)) clockLines.push(lineOf(node.end))
    node.forEachChild(visit)
  }
  visit(tree)
  const lineCount = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return { path, lineCount, imports, defaultExportLines, enumLines, clockLines }
}

type FoundImport = Omit<ModuleImport, 'line'> & { end: number }

function importOf(node: Node): FoundImport | undefined {
  if (isImportDeclaration(node)) {
    const bindings = node.importClause?.namedBindings
    const isWhole = node.importClause?.name !== undefined || (bindings !== undefined && !isNamedImports(bindings))
    const elements = bindings !== undefined && isNamedImports(bindings) ? [...bindings.elements] : []
    const names = elements.filter(({ isTypeOnly }) => !isTypeOnly).map((one) => (one.propertyName ?? one.name).text)
    const isType = node.importClause?.phaseModifier === SyntaxKind.TypeKeyword
    return literal(node.moduleSpecifier, isType ? 'type' : 'static', isWhole ? ['*', ...names] : names)
  }
  if (isExportDeclaration(node)) return literal(node.moduleSpecifier, node.isTypeOnly ? 'type' : 'static')
  if (isImportEqualsDeclaration(node) && isExternalModuleReference(node.moduleReference)) {
    return literal(node.moduleReference.expression, node.isTypeOnly ? 'type' : 'static')
  }
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) return literal(node.argument.literal, 'type')
  if (!isCallExpression(node)) return undefined
  const callee = node.expression
  const imports = callee.kind === SyntaxKind.ImportKeyword || (isIdentifier(callee) && callee.text === 'require')
  return imports ? literal(node.arguments[0], 'lazy') : undefined
}

function literal(node: Node | undefined, kind: ImportKind, names: readonly string[] = ['*']): FoundImport | undefined {
  if (node === undefined || !(isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node))) return undefined
  return { specifier: node.text, kind, names: kind === 'type' ? [] : names, end: node.end }
}

function isDefaultExport(node: Node): boolean {
  if (isExportAssignment(node)) return true
  if (isExportSpecifier(node)) return node.name.text === 'default'
  const modifiers = (node as { modifiers?: Iterable<Node> }).modifiers ?? []
  return [...modifiers].some((modifier) => modifier.kind === SyntaxKind.DefaultKeyword)
}

function readsClock(node: Node): boolean {
  if (isNewExpression(node) && isIdentifier(node.expression) && node.expression.text === 'Date') {
    return (node.arguments?.length ?? 0) === 0
  }
  return isCallExpression(node) && isIdentifier(node.expression) && node.expression.text === 'Date'
}
