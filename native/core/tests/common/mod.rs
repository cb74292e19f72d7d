//! Pseudo-random data for tests, the same in every run.

#![allow(dead_code, reason = "each test file uses a part")]

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// Bytes that change little from one to the next, so that filters have something to predict.
    pub fn smooth(&mut self, count: usize) -> Vec<u8> {
        let mut value = self.next() as u8;
        (0..count)
            .map(|_| {
                value = value.wrapping_add(self.below(7) as u8).wrapping_sub(3);
                value
            })
            .collect()
    }
}

/// A PNG made by hand from chunks, with right checksums.
pub fn png_file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in chunks {
        let start = file.len() + 4;
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(*name);
        file.extend(*data);
        let crc = libdeflater::crc32(&file[start..]);
        file.extend(crc.to_be_bytes());
    }
    file
}

pub fn png_header(width: u32, height: u32, depth: u8, colour: u8, interlaced: u8) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, interlaced]].concat()
}

pub fn zlib(data: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut out = vec![0; compressor.zlib_compress_bound(data.len())];
    let length = compressor.zlib_compress(data, &mut out).unwrap();
    out.truncate(length);
    out
}
