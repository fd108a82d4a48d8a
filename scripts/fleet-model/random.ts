/**
 * Numbers in [0, 1), the same ones for the same seed: xoshiro128**, whose period no run of a million agents comes near.
 */
export function randomNumbers(seed: number): () => number {
  const state = new Uint32Array(4)
  let mixed = seed >>> 0
  for (let index = 0; index < 4; index += 1) {
    // The words of the state are mixed from a counter: a seed of few bits would show in the first numbers.
    mixed = (mixed + 0x9e3779b9) >>> 0
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    state[index] = word ^ (word >>> 15)
  }
  let [a, b, c, d] = [state[0] ?? 1, state[1] ?? 2, state[2] ?? 3, state[3] ?? 4]
  return () => {
    const scrambled = Math.imul(b, 5)
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = (d << 11) | (d >>> 21)
    return result / 2 ** 32
  }
}
