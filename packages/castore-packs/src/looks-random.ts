/** Shorter chunks are not looked at: to compress them takes hardly longer. */
const LEAST_BYTES = 32 << 10;

/** Places spread over the chunk, and bytes that are counted at each. */
const PLACES = 16;
const PLACE_BYTES = 256;

const VALUES = 256;
const EXPECTED = (PLACES * PLACE_BYTES) / VALUES;

/**
 * Bounds of chi-squared for counts that chance explains: 255 is its mean and 22.6 its standard
 * deviation. Counts that are more even than that are no chance either.
 */
const LEAST_CHI_SQUARED = 150;
const MOST_CHI_SQUARED = 350;

const counts = new Uint16Array(VALUES);

/**
 * Whether the bytes of a chunk are spread like those of random data, by a sample of them: what is
 * encrypted or compressed already, and does not compress again. To be mistaken costs space only.
 */
export function looksRandom(chunk: Uint8Array): boolean {
  if (chunk.length < LEAST_BYTES) return false;
  counts.fill(0);
  const step = Math.floor((chunk.length - PLACE_BYTES) / (PLACES - 1));
  for (let place = 0; place < PLACES; place++) {
    const start = place * step;
    for (let at = start; at < start + PLACE_BYTES; at++) {
      const value = chunk[at] as number;
      counts[value] = (counts[value] as number) + 1;
    }
  }
  let chiSquared = 0;
  for (const count of counts) chiSquared += (count - EXPECTED) ** 2 / EXPECTED;
  return chiSquared > LEAST_CHI_SQUARED && chiSquared < MOST_CHI_SQUARED;
}
