//! Writes pictures for `compare.sh`: `pictures FOLDER`. PNG without compression, of a gradient, noise, and flat shapes.

use std::fs;
use std::path::Path;

const SIDE: usize = 640;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("a folder to write to");
    fs::create_dir_all(&folder)?;
    let kinds: [(&str, fn(usize, usize) -> [u8; 3]); 3] = [
        ("gradient", |x, y| [(x * 255 / SIDE) as u8, (y * 255 / SIDE) as u8, ((x + y) * 127 / SIDE) as u8]),
        ("noise", |x, y| {
            let n = (x as u32 * 73_856_093 ^ y as u32 * 19_349_663).wrapping_mul(2_654_435_761);
            [(n >> 24) as u8 & 0xF0, (n >> 16) as u8 & 0xF0, 128]
        }),
        ("shapes", |x, y| if (x / 40 + y / 56) % 3 == 0 { [200, 30, 30] } else { [20, (x / 80 * 30) as u8, 90] }),
    ];
    for (name, pixel) in kinds {
        fs::write(Path::new(&folder).join(name).with_extension("png"), png(pixel))?;
    }
    Ok(())
}

fn png(pixel: fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::with_capacity(SIDE * (1 + 3 * SIDE));
    for y in 0..SIDE {
        rows.push(0); // no filter
        rows.extend((0..SIDE).flat_map(|x| pixel(x, y)));
    }
    let mut header = Vec::new();
    header.extend((SIDE as u32).to_be_bytes());
    header.extend((SIDE as u32).to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // 8 bits, RGB
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

/// A zlib stream of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = !0u32;
    for &byte in kind.iter().chain(data) {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    png.extend((!crc).to_be_bytes());
}
