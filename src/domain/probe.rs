//! The quick capacity check: where its marks go in free space, and what bytes that come back say about a device.

use serde::Serialize;

/// Bytes of a mark; each is checked by itself.
pub const MARK: usize = 4096;
/// Marks in one probe.
pub const PROBE: u64 = 64 * 1024;
/// Most probes: one file each.
const MOST: u64 = 4096;
/// Room that is always left, in bytes; more of it on large media.
const MARGIN: u64 = 16 << 20;

/// Where marks go.
///
/// Each of `probes` files reserves `stride` bytes of free space and is marked at its start; before them one file is
/// marked over `dense` bytes, which is at least one stride. So whatever real size a device has that starts over at
/// its end, some probe lands on the dense file and spoils it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProbePlan {
    /// Files that are marked at their start.
    pub probes: u64,
    /// Bytes that each of them reserves.
    pub stride: u64,
    /// Bytes of the file that is marked throughout.
    pub dense: u64,
}

impl ProbePlan {
    /// For so many free bytes, inodes, and bytes in a file; nothing where there is too little room to tell anything.
    pub fn new(free: u64, inodes: Option<u64>, max_file: Option<u64>) -> Option<Self> {
        let usable = free.checked_sub(MARGIN.max(free / 50))?;
        // As many bytes in all probes together as in the dense file: the fewest that leave no gap.
        let even = (usable / PROBE).isqrt();
        let room = inodes.map_or(MOST, |inodes| inodes.saturating_sub(16));
        let largest = max_file.unwrap_or(u64::MAX);
        let probes = even.max(usable.div_ceil(largest)).min(MOST).min(room);
        let stride = usable.checked_div(probes + 1)?.min(largest) / PROBE * PROBE;
        (probes > 0 && stride >= PROBE).then_some(Self { probes, stride, dense: stride })
    }

    /// Bytes that are written, and read back.
    pub const fn bytes(&self) -> u64 {
        self.dense + self.probes * PROBE
    }

    /// Bytes of free space that the marks are spread over.
    pub const fn spread(&self) -> u64 {
        self.dense + self.probes * self.stride
    }
}

/// Names one mark: which check, which file, where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkId {
    /// Drawn for each check.
    pub seed: [u8; 16],
    /// 0 is the dense file.
    pub file: u32,
    /// Mark in the file.
    pub index: u32,
}

const MAGIC: &[u8; 8] = b"airlift\x01";
const HEAD: usize = 32;

impl MarkId {
    /// Fills a block with the mark. All of it depends on the name, so that no device can keep it without its bytes.
    pub fn fill(&self, block: &mut [u8]) {
        let (head, rest) = block.split_at_mut(HEAD.min(block.len()));
        let mut name = [0; HEAD];
        name[..8].copy_from_slice(MAGIC);
        name[8..24].copy_from_slice(&self.seed);
        name[24..28].copy_from_slice(&self.file.to_le_bytes());
        name[28..].copy_from_slice(&self.index.to_le_bytes());
        head.copy_from_slice(&name[..head.len()]);
        let half = |at: usize| u64::from_le_bytes(self.seed[at..at + 8].try_into().unwrap_or_default());
        let place = u64::from(self.file) << 32 | u64::from(self.index);
        let mut state = half(0) ^ half(8).rotate_left(29) ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for chunk in rest.chunks_mut(8) {
            // splitmix64 (Steele, Lea, Flood 2014): the bytes need to differ, not to be secret.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }

    /// What a block that came back says.
    pub fn judge(&self, block: &[u8], scratch: &mut [u8; MARK]) -> Judgement {
        self.fill(scratch);
        if block == scratch {
            return Judgement::Kept;
        }
        let field =
            |at: usize| block.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let ours = block.get(..8) == Some(MAGIC) && block.get(8..24) == Some(&self.seed);
        match (ours, field(24), field(28)) {
            (true, Some(file), Some(index)) if (file, index) != (self.file, self.index) => {
                Judgement::Another { file, index }
            }
            (true, ..) => Judgement::Damaged,
            _ => Judgement::Lost,
        }
    }
}

/// What came of one mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Judgement {
    /// It is as it was written.
    Kept,
    /// The mark of another place is there: the device starts over.
    Another {
        /// Of that place.
        file: u32,
        /// Of that place.
        index: u32,
    },
    /// It begins as it should and differs later.
    Damaged,
    /// Something else is there, or nothing can be read.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn marks_are_spread_over_nearly_all_free_space_and_few_bytes_are_written() {
        for (free, max_file, most_written) in [
            (64 << 20, None, 8 << 20),
            (GIB, None, 40 << 20),
            (64 * GIB, None, 160 << 20),
            (64 * GIB, Some(u64::from(u32::MAX)), 160 << 20),
            (2048 * GIB, None, 800 << 20),
            (2048 * GIB, Some(u64::from(u32::MAX)), 800 << 20),
        ] {
            let plan = ProbePlan::new(free, None, max_file).unwrap();
            assert!(plan.spread() <= free - MARGIN.max(free / 50), "{free}: room is left");
            assert!(plan.spread() > free / 100 * 70, "{free}: {plan:?}");
            assert!(plan.bytes() < most_written, "{free}: {} in {plan:?}", plan.bytes());
            assert!(max_file.is_none_or(|most| plan.stride <= most), "{plan:?}");
            assert!(plan.dense >= plan.stride);
        }
    }

    #[test]
    fn too_little_room_makes_no_plan_and_few_inodes_make_a_coarse_one() {
        assert_eq!(ProbePlan::new(0, None, None), None);
        assert_eq!(ProbePlan::new(MARGIN, None, None), None);
        assert_eq!(ProbePlan::new(GIB, Some(16), None), None);
        let coarse = ProbePlan::new(GIB, Some(20), None).unwrap();
        assert_eq!(coarse.probes, 4);
        assert!(coarse.spread() > GIB / 100 * 90);
    }

    #[test]
    fn a_device_that_starts_over_spoils_the_dense_file_whatever_its_real_size() {
        let plan = ProbePlan::new(GIB, None, None).unwrap();
        for real in (plan.dense + plan.stride..plan.spread() - plan.stride).step_by(7_340_033) {
            let starts = (0..plan.probes).map(|number| plan.dense + number * plan.stride);
            let hit = starts.filter(|start| *start >= real).any(|start| start % real < plan.dense);
            assert!(hit, "a device of {real} bytes");
        }
    }

    #[test]
    fn a_block_tells_whether_it_was_kept_damaged_lost_or_written_elsewhere() {
        let mark = MarkId { seed: [7; 16], file: 3, index: 9 };
        let (mut block, mut scratch) = ([0; MARK], [0; MARK]);
        assert_eq!(mark.judge(&block, &mut scratch), Judgement::Lost);
        mark.fill(&mut block);
        assert_eq!(mark.judge(&block, &mut scratch), Judgement::Kept);
        block[4000] ^= 1;
        assert_eq!(mark.judge(&block, &mut scratch), Judgement::Damaged);
        MarkId { index: 8, ..mark }.fill(&mut block);
        assert_eq!(mark.judge(&block, &mut scratch), Judgement::Another { file: 3, index: 8 });
        MarkId { seed: [8; 16], ..mark }.fill(&mut block);
        assert_eq!(mark.judge(&block, &mut scratch), Judgement::Lost, "of an earlier check");
        assert_eq!(mark.judge(&block[..10], &mut scratch), Judgement::Lost);
    }
}
