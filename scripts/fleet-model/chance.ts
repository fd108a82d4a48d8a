// What chance alone does to polls that are independent of each other: the number in a window is then Poisson.

/**
 * The smallest number of polls that none of the windows reaches, but for once in 1 / `chance` runs at the most.
 * @param mean polls of a window
 */
export function peakByChance(mean: number, windows: number, chance: number): number {
  let count = Math.ceil(mean)
  while (tailAbove(mean, count) * windows > chance) count += 1
  return count
}

/** How likely it is that none of the windows holds more than `limit` polls. */
export function chanceOfAllWithin(mean: number, windows: number, limit: number): number {
  return (1 - tailAbove(mean, Math.floor(limit) + 1)) ** windows
}

/** How likely a Poisson number of this mean is `count` or more; exact for counts above the mean. */
function tailAbove(mean: number, count: number): number {
  let logTerm = -mean + count * Math.log(mean)
  for (let factor = 2; factor <= count; factor += 1) logTerm -= Math.log(factor)
  let term = Math.exp(logTerm)
  let sum = 0
  for (let at = count; term > sum * 1e-17; at += 1) {
    sum += term
    term *= mean / (at + 1)
  }
  return sum
}
