//! Numbers and texts as bytes, and back with every length checked against what is left.

use rust_decimal::Decimal;

/// What is wrong with bytes.
pub(super) type Fault = &'static str;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    put_number(out, count as u64);
}

pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Sixteen bytes of digits, and one with how many of them are decimals.
pub(super) fn put_decimal(out: &mut Vec<u8>, decimal: Decimal) {
    out.extend_from_slice(&decimal.mantissa().to_le_bytes());
    out.push(decimal.scale().to_le_bytes()[0]);
}

/// Bytes that are read from their beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("it is cut off")?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn sixteen(&mut self) -> Result<[u8; 16], Fault> {
        self.array()
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if byte < 0x80 {
                let fits = bits << shift >> shift == bits;
                return fits.then_some(number).ok_or("a number is too large");
            }
        }
        Err("a number is too long")
    }

    pub(super) fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number()?).map_err(|_| "a number is too large")
    }

    pub(super) fn place(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.number()?).map_err(|_| "a number is too large")
    }

    /// How many items follow, each of which takes at least so many bytes.
    pub(super) fn count(&mut self, bytes_min: usize) -> Result<usize, Fault> {
        let count = self.place()?;
        let fits = count <= self.0.len() / bytes_min;
        fits.then_some(count)
            .ok_or("a list is longer than what is left")
    }

    pub(super) fn signed(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a truth value is neither 0 nor 1"),
        }
    }

    /// A byte of which only these bits may be set.
    pub(super) fn bits(&mut self, all: u8) -> Result<u8, Fault> {
        let bits = self.byte()?;
        (bits & !all == 0)
            .then_some(bits)
            .ok_or("a bit is set that means nothing")
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Fault> {
        let length = self.count(1)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8")
    }

    pub(super) fn decimal(&mut self) -> Result<Decimal, Fault> {
        let digits = i128::from_le_bytes(self.sixteen()?);
        let scale = self.byte()?.into();
        Decimal::try_from_i128_with_scale(digits, scale).map_err(|_| "a decimal is out of range")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_only_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let mut reader = Reader(&bytes);
            assert_eq!(reader.number(), Ok(number));
            assert!(reader.is_empty());
        }
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader(&too_large).number(), Err("a number is too large"));
        assert_eq!(Reader(&[0x80; 20]).number(), Err("a number is too long"));
        assert_eq!(Reader(&[0x80]).number(), Err("it is cut off"));
    }

    #[test]
    fn a_decimal_keeps_its_sign_and_trailing_zeros() {
        for decimal in [
            Decimal::new(-12_500, 4),
            Decimal::MAX,
            Decimal::MIN,
            Decimal::new(0, 28),
        ] {
            let mut bytes = Vec::new();
            put_decimal(&mut bytes, decimal);
            let back = Reader(&bytes).decimal().unwrap();
            assert_eq!(back.to_string(), decimal.to_string());
        }
        let mut bytes = i128::MAX.to_le_bytes().to_vec();
        bytes.push(0);
        assert!(Reader(&bytes).decimal().is_err());
        let mut bytes = vec![0; 16];
        bytes.push(29);
        assert!(Reader(&bytes).decimal().is_err());
    }
}
