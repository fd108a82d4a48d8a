// A file with every address it holds replaced by the place it names, so that code which only moved reads the same.

import type { CoverMap } from './cover-map.ts'
import type { AddressSpace } from './executable-map.ts'
import { OldPages } from './old-pages.ts'
import { readWord, SITE_KINDS, SiteList, writeWord } from './operand-sites.ts'
import { SiteFinder } from './site-finder.ts'

const CHUNK_BYTES = 32768

/** `map`: undefined blanks every address, 'own' puts the file's own places, a map those of the other file. */
export function canonicalise(
  file: Uint8Array,
  space: AddressSpace,
  map: CoverMap | 'own' | undefined,
  into: Uint8Array | undefined,
): Uint8Array {
  const result = into ?? new Uint8Array(file.length)
  result.set(file)
  const pages = new OldPages({
    length: file.length,
    read: (target, position) => target.set(file.subarray(position, position + target.length)),
  })
  const finder = new SiteFinder(space, pages)
  const preparing = finder.prepare()
  while (preparing.next().done !== true);
  const sites = new SiteList()
  for (let place = 0; place < file.length; place += CHUNK_BYTES) {
    const size = Math.min(CHUNK_BYTES, file.length - place)
    finder.find(file.subarray(place, place + size), size, place, sites)
    for (let index = 0; index < sites.count; index++) {
      const at = place + (sites.offsets[index] as number)
      const target = sites.targets[index] as number
      const value = map === undefined ? 0 : map === 'own' ? target : map.map(target)
      if ((sites.kinds[index] as number) >= SITE_KINDS.armBranch) {
        blankField(result, at, sites.kinds[index] as number, map === undefined ? 0 : value)
        continue
      }
      writeWord(result, at, value)
    }
  }
  return result
}

/** Puts a digest of the place where the field is: a field is too narrow for the place itself. */
function blankField(bytes: Uint8Array, at: number, kind: number, value: number): void {
  const mask = kind === SITE_KINDS.armBranch ? 0x3ffffff : kind === SITE_KINDS.armPage ? 0x60ffffe0 : 0x3ffc00
  const word = (readWord(bytes, at) & ~mask) | (Math.imul(value, 0x9e3779b1) & mask)
  writeWord(bytes, at, word)
}
