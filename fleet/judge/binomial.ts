/** A single look that is wrong once in a hundred times is seldom wrong among the many looks of a job. */
const CHANCE = 0.01

/**
 * Whether so many failures would hardly ever come of a release that fails as often as is allowed: the exact test, whose
 * answer for all `rate` is the lower bound of Clopper and Pearson. Right for three agents as for three million.
 */
export function isBeyondChance(failures: number, agents: number, rate: number): boolean {
  if (failures <= 0 || agents < failures) return false
  return failures > agents * rate && chanceOf(failures, agents, rate) < CHANCE
}

/** Of `agents` that each fail with probability `rate`, the probability that at least `failures` of them do. */
export function chanceOf(failures: number, agents: number, rate: number): number {
  if (failures <= 0) return 1
  if (failures > agents || rate <= 0) return 0
  if (rate >= 1) return 1
  let sum = 0
  let term = termOf(failures, agents, rate)
  for (let k = failures; k <= agents; k++) {
    sum += term
    // Far from the middle what follows adds nothing more.
    if (k > agents * rate && term < sum * 1e-16) break
    term *= ((agents - k) / (k + 1)) * (rate / (1 - rate))
  }
  return Math.min(1, sum)
}

/** The probability of exactly so many, by logarithms: its factors are too large and too small to be multiplied. */
function termOf(failures: number, agents: number, rate: number): number {
  let log = failures * Math.log(rate) + (agents - failures) * Math.log1p(-rate)
  for (let k = 1; k <= failures; k++) log += Math.log((agents - failures + k) / k)
  return Math.exp(log)
}
