import { join } from 'node:path'

import { build } from 'esbuild'

import { REPOSITORY } from './figure.ts'

/**
 * Makes plain JavaScript of a script in bench/children, with all that it imports: a loader in a measured process would be
 * measured, too. @returns the path for `node`
 */
export async function plainScript(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`)
  await build({
    entryPoints: [join(REPOSITORY, 'bench', 'children', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
    logLevel: 'error',
  })
  return outfile
}
