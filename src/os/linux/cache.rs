//! How large the processor's caches are.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Where the kernel describes the caches of the first processor.
const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";

/// Bytes in the caches of the second level and of the last, if the system says.
pub fn sizes() -> Option<(u64, u64)> {
    static SIZES: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    *SIZES.get_or_init(|| {
        let caches: Vec<_> =
            (0..8).filter_map(|index| read(&Path::new(CACHES).join(format!("index{index}")))).collect();
        let second = caches.iter().find(|(level, _)| *level == 2)?.1;
        let last = caches.iter().max()?.1;
        Some((second, last))
    })
}

/// Level and bytes of a cache that holds data.
fn read(cache: &Path) -> Option<(u32, u64)> {
    let field = |name| fs::read_to_string(cache.join(name)).ok();
    if field("type")?.trim() == "Instruction" {
        return None;
    }
    let size = field("size")?;
    let size = size.trim();
    let (digits, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len()));
    let scale = match unit {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return None,
    };
    Some((field("level")?.trim().parse().ok()?, digits.parse::<u64>().ok()? * scale))
}
