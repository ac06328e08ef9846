//! Wall times as RFC 3339 in UTC: for people, decide nothing.

/// Milliseconds since 1970 as `2026-07-28T12:34:56.789Z`.
pub fn rfc3339(wall_ms: u64) -> String {
    let (days, ms) = (wall_ms / 86_400_000, wall_ms % 86_400_000);
    let (year, month, day) = date(days);
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000)
}

/// Milliseconds since 1970 of `2026-07-28`, `2026-07-28T12:34:56Z` or `2026-07-28T12:34:56.789Z`, from 1970 on; UTC alone, as answers are
/// in UTC. A leap second counts as the second before it.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let days = days_since_1970(year, month, day)?;
    let ms = time.map_or(Some(0), |time| time_of_day(time.strip_suffix('Z')?))?;
    Some(days * 86_400_000 + ms)
}

fn time_of_day(text: &str) -> Option<u64> {
    let (time, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hours, minutes, seconds] = numbers(time, ':', [2, 2, 2])?;
    let digits = fraction.bytes().all(|b| b.is_ascii_digit()) && (1..=9).contains(&fraction.len());
    let ms = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok().filter(|_| digits)?;
    let is_time = hours < 24 && minutes < 60 && seconds < 61;
    is_time.then_some(((hours * 60 + minutes) * 60 + seconds.min(59)) * 1_000 + ms)
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let parts: Vec<&str> = text.split(between).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    let number = |part: &str, digits: usize| {
        let fits = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_: &u64| fits)
    };
    Some([number(a, digits[0])?, number(b, digits[1])?, number(c, digits[2])?])
}

/// The number of a day since 1970-01-01, if there is such a day. Hinnant's days_from_civil.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let day_of_year = (153 * shifted_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    // The 31st of a shorter month would come out as another day.
    (date(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of a day since 1970-01-01. Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year_of_era + era * 400 + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_785_242_096_789), "2026-07-28T12:34:56.789Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_no_time_is_not() {
        for ms in [0, 951_782_400_000, 1_785_242_096_789, 4_107_542_400_000, 68_169_600_000] {
            assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }
        assert_eq!(parse_rfc3339("2000-02-29"), Some(951_782_400_000));
        assert_eq!(parse_rfc3339("2026-07-28T12:34:56Z"), Some(1_785_242_096_000));
        assert_eq!(parse_rfc3339("2026-07-28T12:34:56.7Z"), Some(1_785_242_096_700));
        let bad = [
            "",
            "2026-02-30",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "1969-12-31",
            "yesterday",
            "2026-07-28T12:34:56",
        ];
        let bad = bad.into_iter().chain([
            "2026-07-28T24:00:00Z",
            "2026-07-28T12:60:00Z",
            "2026-07-28T12:34:56.Z",
            "+026-07-28",
        ]);
        for text in bad.chain(["2026-07-28T12:34:56+02:00", "2026-07-28T12:34:56.é00Z", "99999-01-01", "2026-07-00"]) {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
