use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// An amount of a resource as Kubernetes writes it: `500m`, `2`, `256Mi`.
///
/// Kept as the text that the person wrote (an integer becomes its text), so that nothing shows as changed to tools that
/// compare; [`Quantity::value`] gives its worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

impl Quantity {
    /// The amount in thousandths of its unit, exact up to 128 bits; `None` where the text is no quantity.
    ///
    /// Two texts mean the same to Kubernetes exactly if their values are equal: the API server rewrites `1000m` as `1`.
    /// The grammar is that of `k8s.io/apimachinery/pkg/api/resource`; fractions below a thousandth are rounded up there
    /// and here.
    pub fn value(&self) -> Option<i128> {
        let text = self.0.trim_start_matches('+');
        let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(digits);
        // Thousandths of the unit as numerator and denominator.
        let (up, down): (i128, i128) = match suffix {
            "n" => (1, 1_000_000),
            "u" => (1, 1_000),
            "m" => (1, 1),
            "" => (1_000, 1),
            "k" => (1_000_000, 1),
            "M" => (1_000_000_000, 1),
            "G" => (1_000_000_000_000, 1),
            "T" => (1_000_000_000_000_000, 1),
            "P" => (1_000_000_000_000_000_000, 1),
            "E" => (1_000_000_000_000_000_000_000, 1),
            "Ki" => (1_000 << 10, 1),
            "Mi" => (1_000 << 20, 1),
            "Gi" => (1_000 << 30, 1),
            "Ti" => (1_000 << 40, 1),
            "Pi" => (1_000 << 50, 1),
            "Ei" => (1_000 << 60, 1),
            exponent => {
                let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
                let scale = 10_i128.checked_pow(power.unsigned_abs())?;
                if power < 0 { (1_000, scale) } else { (scale.checked_mul(1_000)?, 1) }
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let negative = whole.starts_with('-');
        let all: i128 = format!("{}{fraction}", whole.trim_start_matches('-')).parse().ok()?;
        let divisor = down.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
        let scaled = all.checked_mul(up)?;
        let value = scaled / divisor + i128::from(scaled % divisor != 0);
        Some(if negative { -value } else { value })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Integer(i64),
            Text(String),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Integer(number) => number.to_string(),
            Written::Text(text) => text,
        }))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": "type(self) == int ? self >= 0 : (isQuantity(self) && !quantity(self).isLessThan(quantity('0')))",
                "message": "must be an amount such as 2, 500m or 256Mi",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, value) in [
            ("0", Some(0)),
            ("1", Some(1_000)),
            ("1000m", Some(1_000)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("500m", Some(500)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("1e3", Some(1_000_000)),
            ("1E3", Some(1_000_000)),
            ("25e-1", Some(2_500)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("+2", Some(2_000)),
            ("-1", Some(-1_000)),
            ("1n", Some(1)),
            ("", None),
            ("Gi", None),
            ("1GB", None),
            ("1.2.3", None),
            ("1-2", None),
            ("ten", None),
        ] {
            assert_eq!(Quantity(text.into()).value(), value, "{text}");
        }
    }

    #[test]
    fn reads_integers_and_texts() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json).unwrap().0;
        assert_eq!(read("2"), "2");
        assert_eq!(read("\"500m\""), "500m");
        assert!(serde_json::from_str::<Quantity>("true").is_err());
    }
}
