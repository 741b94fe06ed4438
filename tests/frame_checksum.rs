//! The checksum that the example `frames` puts into each frame tells any two words apart that changed places.

#[path = "../examples/frames/frame.rs"]
#[allow(dead_code, reason = "the example needs more of it")]
mod frame;

use frame::Frame;
use ringmail::zerocopy::FromZeros;

#[test]
fn words_that_change_places_are_noticed() {
    // Lines of eight words, and some that are left over.
    let mut frame = Frame::new_box_zeroed_with_elems(3 * 8 + 5).unwrap();
    for (word, place) in frame.pixels.iter_mut().zip(1..) {
        *word = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(place);
    }
    let whole = frame.checksum(7);
    for one in 0..frame.pixels.len() {
        for other in 0..one {
            frame.pixels.swap(one, other);
            assert_ne!(frame.checksum(7), whole, "{one} and {other}");
            frame.pixels.swap(one, other);
        }
        frame.pixels[one] ^= 1;
        assert_ne!(frame.checksum(7), whole, "{one}");
        frame.pixels[one] ^= 1;
    }
    assert_eq!(frame.checksum(7), whole);
    assert_ne!(frame.checksum(8), whole);
}
