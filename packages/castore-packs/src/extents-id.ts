/** The fact that says to which extents records belong that lie elsewhere: 16 random bytes, which stand there as well. */
export const EXTENTS_ID = "extents";
