//! The texts that Windows's Event Viewer shows: a message table, as a resource in an object file that is linked into the
//! program. It is made here byte by byte, so that no resource compiler is needed.
//!
//! Formats: "PE Format", "MESSAGE_RESOURCE_DATA" in Microsoft's documentation.

/// The ids that have the text, and the text: `crates/host/src/log/eventlog.rs` says the same, and a test compares.
const IDS: (u32, u32) = (1, 1000);
const TEXT: &str = "%1%n%n%2\r\n";

/// RT_MESSAGETABLE.
const MESSAGE_TABLE: u32 = 11;

/// Where the data begins in the section: behind three directories of one entry each, and the data's own entry.
const DATA: u32 = 3 * 24 + 16;

/// An object file with the table; `None`: for this processor none is made.
pub fn object(architecture: &str) -> Option<Vec<u8>> {
    // Machine, and the relocation for an address in the image (IMAGE_REL_…_ADDR32NB).
    let (machine, relocation): (u16, u16) = match architecture {
        "x86_64" => (0x8664, 3),
        "aarch64" => (0xaa64, 2),
        _ => return None,
    };
    let section = section();
    let size = u32::try_from(section.len()).ok()?;
    let (headers, relocations) = (20 + 40, 10);
    let mut file = Vec::new();
    file.extend(machine.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    numbers(&mut file, &[0, headers + size + relocations, 1, 0]);
    file.extend(b".rsrc\0\0\0");
    numbers(&mut file, &[0, 0, size, headers, headers + size, 0]);
    // One relocation. Initialized data, aligned to 4, readable.
    numbers(&mut file, &[1, 0x4030_0040]);
    file.extend(section);
    numbers(&mut file, &[3 * 24, 0]);
    file.extend(relocation.to_le_bytes());
    // The symbol of the section, static, and no long names.
    file.extend(b".rsrc\0\0\0");
    // Its value; section 1, no type; static, nothing beside it; the size of the table of long names.
    numbers(&mut file, &[0, 1]);
    file.extend([3, 0]);
    numbers(&mut file, &[4]);
    Some(file)
}

fn numbers(into: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        into.extend(number.to_le_bytes());
    }
}

/// Type, name and language lead to the data.
fn section() -> Vec<u8> {
    let table = table();
    let mut section = Vec::new();
    for (id, next) in [
        (MESSAGE_TABLE, 24 | 1 << 31),
        (1, 48 | 1 << 31),
        (0x409, 72),
    ] {
        // One entry, by number.
        numbers(&mut section, &[0, 0, 0, 1 << 16, id, next]);
    }
    let length = u32::try_from(table.len()).unwrap_or(0);
    numbers(&mut section, &[DATA, length, 0, 0]);
    section.extend(table);
    section
}

/// One block of ids, with the same text for each.
fn table() -> Vec<u8> {
    let mut text: Vec<u8> = TEXT
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    text.resize(text.len().next_multiple_of(4), 0);
    let length = u32::try_from(4 + text.len()).unwrap_or(0);
    let mut table = Vec::new();
    numbers(&mut table, &[1, IDS.0, IDS.1, 16]);
    for _ in IDS.0..=IDS.1 {
        // Its length, and that it is in UTF-16.
        numbers(&mut table, &[length | 1 << 16]);
        table.extend(&text);
    }
    table
}
