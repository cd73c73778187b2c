//! Pieces of work for all threads.

use rayon::prelude::*;

/// Does pieces of work: on all threads if there are several, or else here and now.
pub(crate) fn for_each<Piece: Send>(pieces: impl Iterator<Item = Piece>, work: impl Fn(Piece) + Sync + Send) {
    if rayon::current_num_threads() == 1 {
        pieces.for_each(work);
    } else {
        let pieces: Vec<_> = pieces.collect();
        pieces.into_par_iter().with_max_len(1).for_each(work);
    }
}
