//! Partitions of AWS and the hosts of their services, from AWS's own `partitions.json`.

use super::Variant;

/// A partition: a group of regions under one domain, with ARNs of their own.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partition {
    /// In ARNs, as `aws-cn`.
    pub name: &'static str,
    regions: &'static [&'static str],
    suffix: &'static str,
    dual_stack: &'static str,
}

/// The first whose regions begin as given; the last stands for every other region, new ones included.
static PARTITIONS: [Partition; 8] = [
    partition(
        "aws-cn",
        &["cn-"],
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
    ),
    partition("aws-us-gov", &["us-gov-"], "amazonaws.com", "api.aws"),
    partition("aws-eusc", &["eusc-"], "amazonaws.eu", "api.amazonwebservices.eu"),
    partition("aws-iso", &["us-iso-"], "c2s.ic.gov", "api.aws.ic.gov"),
    partition("aws-iso-b", &["us-isob-"], "sc2s.sgov.gov", "api.aws.scloud"),
    partition(
        "aws-iso-e",
        &["eu-isoe-"],
        "cloud.adc-e.uk",
        "api.cloud-aws.adc-e.uk",
    ),
    partition("aws-iso-f", &["us-isof-"], "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    partition("aws", &[""], "amazonaws.com", "api.aws"),
];

const fn partition(
    name: &'static str,
    regions: &'static [&'static str],
    suffix: &'static str,
    dual_stack: &'static str,
) -> Partition {
    Partition {
        name,
        regions,
        suffix,
        dual_stack,
    }
}

impl Partition {
    pub(super) fn of_region(region: &str) -> &'static Self {
        let [others @ .., standard] = &PARTITIONS;
        others
            .iter()
            .find(|partition| partition.regions.iter().any(|start| region.starts_with(start)))
            .unwrap_or(standard)
    }

    /// `logs` in `eu-central-1` is `https://logs.eu-central-1.amazonaws.com`.
    pub(super) fn url(&self, host: &str, region: &str, variant: Variant) -> String {
        let fips = if variant.fips { "-fips" } else { "" };
        let suffix = if variant.dual_stack {
            self.dual_stack
        } else {
            self.suffix
        };
        // Its plain hosts are the FIPS ones there, and there are no others.
        if self.name == "aws-us-gov" && !variant.dual_stack {
            return format!("https://{host}.{region}.{suffix}");
        }
        format!("https://{host}{fips}.{region}.{suffix}")
    }

    /// Its domains: the plain one and that of the dual-stack endpoints.
    pub(super) fn suffixes(&self) -> [&'static str; 2] {
        [self.suffix, self.dual_stack]
    }

    /// The domain of this partition's services.
    pub(in crate::destination) fn suffix(&self) -> &'static str {
        self.suffix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_the_partition() {
        let variant = |fips, dual_stack| Variant { fips, dual_stack };
        for (region, fips, dual_stack, url) in [
            (
                "eu-central-1",
                false,
                false,
                "https://logs.eu-central-1.amazonaws.com",
            ),
            (
                "us-east-1",
                true,
                false,
                "https://logs-fips.us-east-1.amazonaws.com",
            ),
            ("us-east-1", false, true, "https://logs.us-east-1.api.aws"),
            ("us-east-1", true, true, "https://logs-fips.us-east-1.api.aws"),
            (
                "us-gov-west-1",
                true,
                false,
                "https://logs.us-gov-west-1.amazonaws.com",
            ),
            (
                "cn-north-1",
                false,
                false,
                "https://logs.cn-north-1.amazonaws.com.cn",
            ),
            (
                "cn-north-1",
                false,
                true,
                "https://logs.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                "eusc-de-east-1",
                false,
                false,
                "https://logs.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "us-iso-east-1",
                false,
                false,
                "https://logs.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "us-isob-east-1",
                false,
                false,
                "https://logs.us-isob-east-1.sc2s.sgov.gov",
            ),
        ] {
            let partition = Partition::of_region(region);
            assert_eq!(partition.url("logs", region, variant(fips, dual_stack)), url);
        }
    }

    #[test]
    fn a_region_that_is_not_known_yet_is_in_the_standard_partition() {
        assert_eq!(Partition::of_region("xx-new-9").name, "aws");
        assert_eq!(Partition::of_region("eusc-de-east-1").name, "aws-eusc");
    }
}
