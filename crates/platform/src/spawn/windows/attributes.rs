#![allow(unsafe_code)]

use std::io;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    DeleteProcThreadAttributeList, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROC_THREAD_ATTRIBUTE_JOB_LIST, UpdateProcThreadAttribute,
};

use crate::win32::checked;

/// What a process is made with beside its command: the job that it is in from its first instruction, and the
/// only handles that it inherits.
pub(crate) struct Attributes {
    /// The list, which holds addresses of the two below: they must neither move nor go before it.
    list: Vec<usize>,
    _jobs: Box<[HANDLE]>,
    _handles: Box<[HANDLE]>,
}

impl Attributes {
    /// The handles must be inheritable, and none twice; they are borrowed until the process is made.
    pub fn new(job: Option<HANDLE>, handles: &[HANDLE]) -> io::Result<Self> {
        const COUNT: u32 = 2;
        let (jobs, handles): (Box<[HANDLE]>, Box<[HANDLE]>) =
            (job.into_iter().collect(), handles.into());
        let mut size = 0;
        // SAFETY: without a list it only says how large one must be, which it calls an error.
        unsafe {
            InitializeProcThreadAttributeList(std::ptr::null_mut(), COUNT, 0, &mut size);
        }
        let mut list = vec![0_usize; size.div_ceil(size_of::<usize>())];
        let pointer: LPPROC_THREAD_ATTRIBUTE_LIST = list.as_mut_ptr().cast();
        // SAFETY: it is as large as was asked for.
        checked(unsafe { InitializeProcThreadAttributeList(pointer, COUNT, 0, &mut size) })?;
        let attributes = Self {
            list,
            _jobs: jobs,
            _handles: handles,
        };
        if job.is_some() {
            attributes.add(PROC_THREAD_ATTRIBUTE_JOB_LIST, &attributes._jobs)?;
        }
        attributes.add(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, &attributes._handles)?;
        Ok(attributes)
    }

    fn add(&self, attribute: u32, handles: &[HANDLE]) -> io::Result<()> {
        // SAFETY: the list is initialised, and the handles live in boxes as long as it does.
        checked(unsafe {
            UpdateProcThreadAttribute(
                self.pointer(),
                0,
                attribute as usize,
                handles.as_ptr().cast(),
                size_of_val(handles),
                std::ptr::null_mut(),
                std::ptr::null(),
            )
        })
    }

    /// For STARTUPINFOEX, while this lives.
    pub fn pointer(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_ptr().cast_mut().cast()
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: it was initialised, and nobody uses it any more.
        unsafe { DeleteProcThreadAttributeList(self.pointer()) };
    }
}
