/**
 * Bounds of a NAR, as Nix has them since the advisory GHSA-vh5x-56v6-4368: whatever is
 * beyond is refused before memory is taken for it.
 */

/** Most bytes of the name of an entry. */
export const NAR_NAME_MAX_BYTES = 255;

/** Most bytes of the target of a symbolic link. */
export const NAR_TARGET_MAX_BYTES = 4095;

/** Most bytes of a keyword. No keyword has more than 13. */
export const NAR_TAG_MAX_BYTES = 32;

/** Levels of nodes, the root being the first. */
export const NAR_MAX_DEPTH = 64;
