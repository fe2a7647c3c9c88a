//! An allocator for a process that is busy for a moment and then sleeps: blocks of one size lie together, so
//! that what stays does not hold pages in which everything else was freed.
//!
//! ```text
//!  region, 1 MiB ┌──────────┬───────┬───────┬─ ─ ─┐      a page holds blocks of one size; a region knows which
//!                │ its book │ page  │ page  │     │      of its pages are free, and those are given back to
//!                └──────────┴───────┴───────┴─ ─ ─┘      the system by `release`
//! ```
//!
//! A general allocator puts a block wherever there is room. While a thousand units are read and started,
//! what stays of each is put between what does not, and afterwards each page holds a little of it. Here
//! that happens only between blocks of the same size, and no block has a header. Blocks larger than
//! [`LARGEST`] are the system's allocator's.
//!
//! One lock for all: its threads work one after the other, and hold it for some ten nanoseconds.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{self, NonNull, null_mut};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Larger blocks are left to the system's allocator.
pub const LARGEST: usize = 1024;
/// The same for blocks that have to lie at multiples of more than this.
const ALIGN: usize = 8;
/// Sizes are rounded up to multiples of [`ALIGN`] up to this, then of the next.
const FINE: usize = 256;
const COARSE: usize = 32;
const CLASSES: usize = FINE / ALIGN + (LARGEST - FINE) / COARSE;

const PAGE: usize = 4096;
const REGION: usize = 1 << 20;
const WORDS: usize = REGION / PAGE / 64;

/// The allocator; one a program, as its `#[global_allocator]`.
#[derive(Debug)]
pub struct Dense(Mutex<Pages>);

/// The beginning of each page that holds blocks. Blocks follow it, and all of them lie at multiples of [`ALIGN`]: without
/// that it would end in between where pointers have 32 bits.
#[repr(align(8))]
struct Page {
    /// In the list of pages of this class that have room.
    next: *mut Page,
    previous: *mut Page,
    /// Free blocks, the first bytes of each pointing to the next.
    free: *mut Free,
    /// Where those begin that were never given out.
    fresh: u16,
    used: u16,
    class: u16,
}

struct Free(*mut Free);

const _: () = assert!(size_of::<Page>().is_multiple_of(ALIGN) && align_of::<Page>() <= ALIGN);

/// The beginning of each region; its first page holds nothing else.
struct Region {
    /// In the list of all.
    next: *mut Region,
    /// In the list of those that have free pages.
    next_with_room: *mut Region,
    /// A bit for each free page.
    free: [u64; WORDS],
}

#[derive(Debug)]
struct Pages {
    /// By class: pages that have room.
    with_room: [*mut Page; CLASSES],
    regions: *mut Region,
    regions_with_room: *mut Region,
}

// SAFETY: the pointers are to memory that belongs to this value alone, whichever thread has it.
unsafe impl Send for Pages {}

impl Dense {
    /// With no memory yet.
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(Mutex::new(Pages {
            with_room: [null_mut(); CLASSES],
            regions: null_mut(),
            regions_with_room: null_mut(),
        }))
    }

    /// Gives free pages back to the system.
    pub fn release(&self) {
        self.lock().release();
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // Nothing under this lock panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_small(layout: Layout) -> bool {
    layout.size() <= LARGEST && layout.align() <= ALIGN
}

fn class_of(size: usize) -> usize {
    if size <= FINE {
        size.saturating_sub(1) / ALIGN
    } else {
        FINE / ALIGN + (size - FINE - 1) / COARSE
    }
}

fn size_of_class(class: usize) -> usize {
    if class < FINE / ALIGN {
        (class + 1) * ALIGN
    } else {
        FINE + (class + 1 - FINE / ALIGN) * COARSE
    }
}

// SAFETY: blocks are as large and aligned as was asked for, and nobody else's until they are freed; which of
// the two allocators has one is told by its layout, which is the same at its end as at its beginning.
unsafe impl GlobalAlloc for Dense {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_small(layout) {
            return self.lock().take(class_of(layout.size()));
        }
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_small(layout) {
            let block = self.lock().take(class_of(layout.size()));
            if !block.is_null() {
                // SAFETY: it is that large.
                unsafe { block.write_bytes(0, layout.size()) };
            }
            return block;
        }
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_small(layout) {
            // SAFETY: the caller has it from `take`, and lets go of it.
            return unsafe { self.lock().give(block) };
        }
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says that it is a size.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_small(layout), is_small(wanted)) {
            // SAFETY: the caller's.
            (false, false) => return unsafe { System.realloc(block, layout, size) },
            (true, true) if class_of(layout.size()) == class_of(size) => return block,
            _ => {}
        }
        // SAFETY: the old one is the caller's, the new one ours until it is returned; they are apart.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

impl Pages {
    /// A block of this class; null: there is no memory.
    fn take(&mut self, class: usize) -> *mut u8 {
        let size = size_of_class(class);
        let mut page = self.with_room[class];
        if page.is_null() {
            let Some(new) = self.take_page() else {
                return null_mut();
            };
            page = new.as_ptr();
            // SAFETY: a free page is ours, and has room for its beginning.
            unsafe {
                page.write(Page {
                    next: null_mut(),
                    previous: null_mut(),
                    free: null_mut(),
                    fresh: size_of::<Page>() as u16,
                    used: 0,
                    class: class as u16,
                });
                self.link(page);
            }
        }
        // SAFETY: pages in the list are ours, and have a free block or a fresh one; `fresh` does not pass the
        // page's end.
        unsafe {
            let block = (*page).free;
            let block = if block.is_null() {
                let fresh = usize::from((*page).fresh);
                (*page).fresh = (fresh + size) as u16;
                page.cast::<u8>().add(fresh)
            } else {
                (*page).free = (*block).0;
                block.cast()
            };
            (*page).used += 1;
            if (*page).is_full(size) {
                self.unlink(page);
            }
            block
        }
    }

    /// # Safety
    /// The block is from [`Pages::take`], and was not given back since.
    unsafe fn give(&mut self, block: *mut u8) {
        let page = block
            .map_addr(|address| address & !(PAGE - 1))
            .cast::<Page>();
        // SAFETY: each block lies in a page that begins with that, and has room for a pointer.
        unsafe {
            let was_full = (*page).is_full(size_of_class(usize::from((*page).class)));
            let block = block.cast::<Free>();
            block.write(Free((*page).free));
            (*page).free = block;
            (*page).used -= 1;
            if (*page).used == 0 {
                if !was_full {
                    self.unlink(page);
                }
                self.give_page(page);
            } else if was_full {
                self.link(page);
            }
        }
    }

    /// # Safety
    /// It is a page of ours that is in no list.
    unsafe fn link(&mut self, page: *mut Page) {
        // SAFETY: pages in lists are ours.
        unsafe {
            let class = usize::from((*page).class);
            let next = std::mem::replace(&mut self.with_room[class], page);
            ((*page).previous, (*page).next) = (null_mut(), next);
            if let Some(next) = next.as_mut() {
                next.previous = page;
            }
        }
    }

    /// # Safety
    /// It is a page of ours that is in the list of its class.
    unsafe fn unlink(&mut self, page: *mut Page) {
        // SAFETY: pages in lists are ours.
        unsafe {
            let (previous, next) = ((*page).previous, (*page).next);
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => self.with_room[usize::from((*page).class)] = next,
            }
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
        }
    }

    fn take_page(&mut self) -> Option<NonNull<Page>> {
        if self.regions_with_room.is_null() {
            self.add_region()?;
        }
        let region = self.regions_with_room;
        // SAFETY: regions in lists are ours, and this one has a free page.
        unsafe {
            let free = &mut (*region).free;
            let word = free.iter().position(|word| *word != 0)?;
            let bit = free[word].trailing_zeros() as usize;
            free[word] &= free[word] - 1;
            if (*region).is_full() {
                self.regions_with_room = (*region).next_with_room;
            }
            NonNull::new(region.cast::<u8>().add((word * 64 + bit) * PAGE).cast())
        }
    }

    /// # Safety
    /// It is a page of ours that is in no list, and no block of it is used.
    unsafe fn give_page(&mut self, page: *mut Page) {
        let region = page
            .map_addr(|address| address & !(REGION - 1))
            .cast::<Region>();
        let number = (page.addr() & (REGION - 1)) / PAGE;
        // SAFETY: each page lies in a region that begins with that.
        unsafe {
            if (*region).is_full() {
                (*region).next_with_room = self.regions_with_room;
                self.regions_with_room = region;
            }
            (*region).free[number / 64] |= 1 << (number % 64);
        }
    }

    fn add_region(&mut self) -> Option<()> {
        let region = map_region()?;
        // SAFETY: it was just mapped, and is large enough.
        unsafe {
            region.write(Region {
                next: self.regions,
                next_with_room: null_mut(),
                free: Region::EMPTY,
            });
        }
        self.regions = region;
        self.regions_with_room = region;
        Some(())
    }

    fn release(&mut self) {
        let mut next = std::mem::replace(&mut self.regions, null_mut());
        self.regions_with_room = null_mut();
        while let Some(region) = NonNull::new(next).map(NonNull::as_ptr) {
            // SAFETY: regions in lists are ours. A free page holds nothing, and the first page is never free.
            unsafe {
                next = (*region).next;
                if (*region).free == Region::EMPTY {
                    libc::munmap(region.cast(), REGION);
                    continue;
                }
                (*region).next = self.regions;
                self.regions = region;
                if !(*region).is_full() {
                    (*region).next_with_room = self.regions_with_room;
                    self.regions_with_room = region;
                }
                for (first, pages) in (*region).free_runs() {
                    let start = region.cast::<u8>().add(first * PAGE);
                    libc::madvise(start.cast(), pages * PAGE, libc::MADV_DONTNEED);
                }
            }
        }
    }
}

impl Page {
    fn is_full(&self, size: usize) -> bool {
        self.free.is_null() && usize::from(self.fresh) + size > PAGE
    }
}

impl Region {
    /// All but the first.
    const EMPTY: [u64; WORDS] = {
        let mut free = [u64::MAX; WORDS];
        free[0] = !1;
        free
    };

    fn is_full(&self) -> bool {
        self.free == [0; WORDS]
    }

    /// Free pages that lie side by side: the first, and how many.
    fn free_runs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let is_free = |page: usize| self.free[page / 64] >> (page % 64) & 1 == 1;
        let mut page = 0;
        std::iter::from_fn(move || {
            let first = (page..REGION / PAGE).find(|page| is_free(*page))?;
            let end = (first..REGION / PAGE).find(|page| !is_free(*page));
            page = end.unwrap_or(REGION / PAGE);
            Some((first, page - first))
        })
    }
}

/// A new region, zeroed, at a multiple of its size.
fn map_region() -> Option<*mut Region> {
    // SAFETY: maps memory where there is none, and unmaps the ends of it that are not needed; nobody else
    // knows of it yet.
    unsafe {
        let start = libc::mmap(
            null_mut(),
            2 * REGION,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        );
        if start == libc::MAP_FAILED {
            return None;
        }
        let before = start.addr().next_multiple_of(REGION) - start.addr();
        let region = start.byte_add(before);
        if before > 0 {
            libc::munmap(start, before);
        }
        libc::munmap(region.byte_add(REGION), REGION - before);
        // A huge page would be all there with the first touch.
        libc::madvise(region, REGION, libc::MADV_NOHUGEPAGE);
        Some(region.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_has_the_smallest_class_that_holds_it() {
        for size in 0..=LARGEST {
            let class = class_of(size);
            assert!(class < CLASSES && size_of_class(class) >= size);
            assert!(class == 0 || size_of_class(class - 1) < size);
        }
        assert_eq!(size_of_class(CLASSES - 1), LARGEST);
    }

    /// A block, and what was written into it.
    struct Block(*mut u8, Layout, u8);

    impl Block {
        fn check(&self) {
            for at in 0..self.1.size() {
                // SAFETY: the block is that large.
                assert_eq!(unsafe { *self.0.add(at) }, self.2);
            }
        }
    }

    #[test]
    fn blocks_keep_what_is_in_them_whatever_comes_and_goes_around_them() {
        let dense = Dense::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut seed = 7_u64;
        let mut draw = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for turn in 0..60_000 {
            // Mostly growing at first, mostly shrinking in the end.
            let grow = draw(60_000) > turn;
            if blocks.is_empty() || grow {
                let layout = Layout::from_size_align(1 + draw(1500), 1 << draw(5)).expect("valid");
                let fill = draw(256) as u8;
                // SAFETY: the layout is not of size zero, and the block as large as it says.
                unsafe {
                    let block = dense.alloc(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
                    block.write_bytes(fill, layout.size());
                    blocks.push(Block(block, layout, fill));
                }
            } else {
                let at = draw(blocks.len());
                let Block(block, layout, fill) = blocks.swap_remove(at);
                Block(block, layout, fill).check();
                let size = 1 + draw(1500);
                // SAFETY: the block is from this allocator, with this layout.
                unsafe {
                    if turn % 3 > 0 {
                        dense.dealloc(block, layout);
                        continue;
                    }
                    let moved = dense.realloc(block, layout, size);
                    let kept = Layout::from_size_align(layout.size().min(size), 1).expect("valid");
                    Block(moved, kept, fill).check();
                    let layout = Layout::from_size_align(size, layout.align()).expect("valid");
                    moved.write_bytes(fill, size);
                    blocks.push(Block(moved, layout, fill));
                }
            }
            if turn % 5_000 == 0 {
                dense.release();
            }
        }
        for Block(block, layout, fill) in blocks {
            Block(block, layout, fill).check();
            // SAFETY: as above.
            unsafe { dense.dealloc(block, layout) };
        }
        dense.release();
        assert!(dense.lock().regions.is_null(), "all was given back");
    }

    #[test]
    fn threads_may_free_what_others_made() {
        static DENSE: Dense = Dense::new();
        let layout = Layout::from_size_align(48, 8).expect("valid");
        let (send, receive) = std::sync::mpsc::channel::<usize>();
        let freeing = std::thread::spawn(move || {
            for address in receive {
                // SAFETY: it was allocated with this layout, and sent once.
                unsafe { DENSE.dealloc(ptr::with_exposed_provenance_mut(address), layout) };
            }
        });
        for _ in 0..10_000 {
            // SAFETY: not of size zero.
            let block = unsafe { DENSE.alloc(layout) };
            send.send(block.expose_provenance()).expect("it receives");
        }
        drop(send);
        freeing.join().expect("it ends");
        DENSE.release();
        assert!(DENSE.lock().regions.is_null());
    }
}
