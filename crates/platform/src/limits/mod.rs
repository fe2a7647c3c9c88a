//! Limits of a run: of each process (setrlimit) and of the whole tree (control group).
