//! Pieces of work for all threads.

use rayon::prelude::*;

/// Does tasks of work: on all threads if there are several, or else here and now.
pub(crate) fn for_each<Task: Send>(tasks: impl Iterator<Item = Task>, work: impl Fn(Task) + Sync + Send) {
    if rayon::current_num_threads() == 1 {
        tasks.for_each(work);
    } else {
        let tasks: Vec<_> = tasks.collect();
        tasks.into_par_iter().with_max_len(1).for_each(work);
    }
}
