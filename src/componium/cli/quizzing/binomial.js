"use strict";
// Shares: the exact interval of Clopper and Pearson, from the incomplete beta function by its continued fraction
// (evaluated by Lentz's method), and how many answers are missing.
const binomial = (() => {
  function logGamma(x) {  // Stirling's series, from 10 on exact to the last digits
    let shift = 0;
    while (x < 10) { shift -= Math.log(x); x += 1; }
    const y = 1 / (x * x);
    return shift + (x - 0.5) * Math.log(x) - x + 0.9189385332046728
      + (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  }
  function fraction(a, b, x) {
    const tiny = 1e-300, keep = value => Math.abs(value) < tiny ? tiny : value;
    let c = 1, d = 1 / keep(1 - (a + b) * x / (a + 1)), result = d;
    for (let m = 1; m <= 20000; m++) {
      for (const step of [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))]) {
        d = 1 / keep(1 + step * d);
        c = keep(1 + step / c);
        result *= c * d;
      }
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return result;
  }
  function below(a, b, x) {  // the share of a beta distribution below x
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b;
  }
  function quantile(a, b, share) {
    let low = 0, high = 1;
    for (let n = 0; n < 100 && high - low > 1e-16; n++) {
      const middle = (low + high) / 2;
      if (below(a, b, middle) < share) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }
  function interval(successes, trials, level = 0.95) {
    const tail = (1 - level) / 2, failures = trials - successes;
    return [successes > 0 ? quantile(successes, failures + 1, tail) : 0,
      failures > 0 ? quantile(successes + 1, failures, 1 - tail) : 1];
  }
  function answersNeeded(successes, trials, halfWidth = 0.05, level = 0.95) {
    const share = trials ? successes / trials : 0.5;
    const wide = (total, hits = share * total) => {
      const [low, high] = interval(hits, total, level);
      return Math.max(high - share, share - low) > halfWidth;
    };
    if (trials && !wide(trials, successes)) return 0;
    let enough = Math.max(2 * trials, 16), few = trials;
    while (wide(enough)) [enough, few] = [2 * enough, enough];
    while (enough - few > 1) {
      const middle = Math.floor((enough + few) / 2);
      if (wide(middle)) few = middle; else enough = middle;
    }
    return enough - trials;
  }
  return { interval, answersNeeded };
})();
