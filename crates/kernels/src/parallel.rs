//! Distributes tasks over the threads.

use rayon::prelude::*;

/// Runs the tasks on all threads of the pool; a pool of one thread runs them right here.
pub(crate) fn for_each<Task: Send>(tasks: impl Iterator<Item = Task>, work: impl Fn(Task) + Sync + Send) {
    if rayon::current_num_threads() == 1 {
        tasks.for_each(work);
    } else {
        let tasks: Vec<_> = tasks.collect();
        tasks.into_par_iter().with_max_len(1).for_each(work);
    }
}
