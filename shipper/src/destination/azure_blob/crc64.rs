//! CRC-64/NVME, which Azure Storage checks bodies with: bits reflected, all ones before and after. Pure.

/// The polynomial, reflected.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// `TABLES[n][byte]`: what `byte` makes of the sum when `n` bytes follow it. Eight bytes are taken at a time.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ POLYNOMIAL
            } else {
                sum >> 1
            };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[n - 1][byte];
            tables[n][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        n += 1;
    }
    tables
}

/// The sum of `bytes`.
pub(super) fn crc64(bytes: &[u8]) -> u64 {
    let at = |table: usize, byte: u8| TABLES[table][usize::from(byte)];
    let (eights, rest) = bytes.as_chunks::<8>();
    let sum = eights.iter().fold(u64::MAX, |sum, eight| {
        let mixed = (sum ^ u64::from_le_bytes(*eight)).to_le_bytes();
        (0..8).fold(0, |next, place| next ^ at(7 - place, mixed[place]))
    });
    !rest.iter().fold(sum, |sum, byte| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ at(0, low ^ byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_catalogues() {
        // The check value of CRC-64/NVME.
        assert_eq!(crc64(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn eight_at_a_time_is_the_same_as_one_at_a_time() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for length in [1, 7, 8, 9, 64, 999, 1_000] {
            let slow = bytes[..length].iter().fold(u64::MAX, |sum, byte| {
                (0..8).fold(sum ^ u64::from(*byte), |sum, _| match sum & 1 {
                    1 => (sum >> 1) ^ POLYNOMIAL,
                    _ => sum >> 1,
                })
            });
            assert_eq!(crc64(&bytes[..length]), !slow, "{length}");
        }
    }
}
